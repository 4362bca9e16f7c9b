"""Reading every image once: for its digest, and to know before any long work that it can be used."""

import logging
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from offshelf.dataset.files import Files
from offshelf.dataset.image import Image, ImageFile
from offshelf.dataset.value_range import Extent, ValueRange, common_range, describe
from offshelf.errors import BadImagesError, ImageError

log = logging.getLogger(__name__)

BLOCK = 64
"""Images that a thread checks at a time."""


def digests(images: Sequence[Image]) -> Sequence[str]:
    """Of all images. Raises ImageError."""
    return images.digests() if isinstance(images, Files) else [image.digest for image in images]


def value_range(images: Sequence[Image]) -> ValueRange | None:
    """What is black and what is white in those that have more than 8 bits a value; None where there are none."""
    ranges = [images.value_range] if isinstance(images, Files) else (getattr(one, "settled", None) for one in images)
    return next((one for one in ranges if isinstance(one, tuple)), None)


def check_images(images: Sequence[Image]) -> None:
    """Read every file once, in threads, for its digest and its wholeness; settle the range of values, see ImageFile.

    Raises:
        BadImagesError: names every file that cannot be read and why, before any long work.
        DatasetError: no one range suits all images of more than 8 bits.
    """
    # By blocks: a task for each of a million images would take more memory than all that is known of them.
    blocks = range(0, len(images), BLOCK)
    faults: dict[int, str] = {}
    extents: dict[int, Extent] = {}
    with ThreadPoolExecutor(min(8, (os.cpu_count() or 1) * 2)) as pool:
        found = pool.map(lambda start: _look(images, range(start, min(start + BLOCK, len(images)))), blocks)
        for some_faults, some_extents in found:
            faults |= some_faults
            extents |= some_extents
    if faults:
        raise BadImagesError(faults)
    if extents:
        _settle(images, extents)


def _settle(images: Sequence[Image], extents: Mapping[int, Extent]) -> None:
    """Give images, by their row numbers, the range of values that suits all of them."""
    named = {str(images[row]): extent for row, extent in extents.items()}
    values = common_range(named)
    line, is_odd = describe(named, values)
    log.log(logging.WARNING if is_odd else logging.INFO, "%s", line)
    if isinstance(images, Files):
        images.settle(values)
        for row in extents:
            images.note(row, images[row].digest)
        return
    for row in extents:
        image = images[row]
        if isinstance(image, ImageFile):
            image.settle(values)


def _look(images: Sequence[Image], rows: range) -> tuple[dict[int, str], dict[int, Extent]]:
    """What is wrong with images of these row numbers; and what those hold whose range of values is to be settled."""
    faults: dict[int, str] = {}
    extents: dict[int, Extent] = {}
    for row in rows:
        image = images[row]
        try:
            extent = image.check() if isinstance(image, ImageFile) else None
            if extent:
                extents[row] = extent
                continue
            digest = image.digest
        except ImageError as error:
            faults[row] = str(error)
        else:
            if isinstance(images, Files):
                images.note(row, digest)
    return faults, extents
