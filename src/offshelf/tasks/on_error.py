"""Images that cannot be read: a run stops with all their names, or goes on without them."""

import logging
from collections.abc import Callable
from typing import Literal, TypeVar

from offshelf.dataset import ImageSet, LeftOut, check_images
from offshelf.dataset.retrieval_set import RetrievalSet
from offshelf.errors import BadImagesError, ConfigError
from offshelf.terminal.progress import showing

log = logging.getLogger(__name__)

OnError = Literal["stop", "skip"]
ON_ERROR = ("stop", "skip")

T = TypeVar("T")
Images = TypeVar("Images", bound=ImageSet | RetrievalSet)


def check_readable(images: Images, on_error: str) -> tuple[Images, list[LeftOut]]:
    """Read every image of a data set once.

    Returns:
        The images that can be read, and those left out.

    Raises:
        As `skip_unreadable`.
    """
    with showing(f"Reading {images.name}"):
        kept, left_out, _ = skip_unreadable(images, on_error, lambda usable: check_images(usable.pictures))
    return kept, left_out


def skip_unreadable(images: Images, on_error: str, work: Callable[[Images], T]) -> tuple[Images, list[LeftOut], T]:
    """Do work on a data set, and do it again without the images that it could not read.

    Args:
        images: The data set.
        on_error: `stop`, or `skip`: repeat the work without the images that it names.
        work: Raises BadImagesError; what it has done for the good images is in the store.

    Returns:
        The images that could be used, those left out, and the result of the work.

    Raises:
        BadImagesError: images cannot be read, and `on_error` is `stop`.
        DatasetError: too few images are left.
        ConfigError: `on_error` is neither.
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
