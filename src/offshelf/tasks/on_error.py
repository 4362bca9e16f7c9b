"""What happens to images that cannot be used: everything stops with all their names, or goes on without them."""

import logging
from collections.abc import Callable
from typing import Literal, TypeVar

from offshelf.dataset import ImageSet, LeftOut, check_images
from offshelf.dataset.retrieval import RetrievalSet
from offshelf.errors import BadImagesError, ConfigError

log = logging.getLogger(__name__)

OnError = Literal["stop", "skip"]
ON_ERROR = ("stop", "skip")

T = TypeVar("T")
Images = TypeVar("Images", bound=ImageSet | RetrievalSet)


def readable(images: Images, on_error: str) -> tuple[Images, list[LeftOut]]:
    """The images of a data set whose files can be read, and those left out. See screen."""
    kept, left_out, _ = screen(images, on_error, lambda usable: check_images(usable.pictures))
    return kept, left_out


def screen(images: Images, on_error: str, work: Callable[[Images], T]) -> tuple[Images, list[LeftOut], T]:
    """Do work on a data set whose images may prove unusable.

    Args:
        images: The set.
        on_error: `stop`, or `skip`: do it again without the images that the work names.
        work: Raises BadImagesError; what it has done for the good images is in the store.

    Returns:
        The images that could be used, those left out, and what the work returned.

    Raises:
        BadImagesError: with `stop`, as the work raised it.
        DatasetError: too few are left.
    """
    if on_error not in ON_ERROR:
        raise ConfigError(f"on_error is stop or skip; got '{on_error}'.")
    left_out: list[LeftOut] = []
    while True:
        try:
            return images, left_out, work(images)
        except BadImagesError as bad:
            if on_error == "stop":
                raise
            images, more = images.without(bad.faults)  # type: ignore[assignment] # of the same kind
            for one in more:
                log.warning("Left out of %s: %s", one.role, one.why)
            left_out += more
