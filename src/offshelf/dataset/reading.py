"""One reading of every image, for its digest and to find unusable files before any long work."""

import logging
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from offshelf.dataset.files import Files
from offshelf.dataset.image import Image, ImageFile
from offshelf.dataset.intensity_range import Extent, ValueRange, common_range, describe
from offshelf.errors import BadImagesError, ImageError

log = logging.getLogger(__name__)

BLOCK = 64
"""Number of images that a thread checks at a time."""


def digests(images: Sequence[Image]) -> Sequence[str]:
    """Return the digests of all images. Raises ImageError."""
    return images.digests() if isinstance(images, Files) else [image.digest for image in images]


def value_range(images: Sequence[Image]) -> ValueRange | None:
    """Return black and white of the images that have more than 8 bits per value; None if there are none."""
    ranges = [images.value_range] if isinstance(images, Files) else (getattr(one, "settled", None) for one in images)
    return next((one for one in ranges if isinstance(one, tuple)), None)


def check_images(images: Sequence[Image]) -> None:
    """Read every file once, in threads, for its digest and completeness; resolve the range of values, see ImageFile.

    Raises:
        BadImagesError: Files cannot be read; the message names each with the reason.
        DatasetError: No single range suits all images of more than 8 bits.
    """
    # In blocks: a task for each of a million images would take more memory than the results.
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
    """Set the range of values that suits all images, given by row number."""
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
    """Return the faults of images by row number, and the values of those whose range must be resolved."""
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
