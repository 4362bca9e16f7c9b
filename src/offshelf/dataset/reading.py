"""Reading every image once: for its digest, and to know before any long work that it can be used."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from offshelf.dataset.files import Files
from offshelf.dataset.image import Image, ImageFile
from offshelf.errors import BadImagesError, ImageError

BLOCK = 64
"""Images that a thread checks at a time."""


def digests(images: Sequence[Image]) -> Sequence[str]:
    """Of all images. Raises ImageError."""
    return images.digests() if isinstance(images, Files) else [image.digest for image in images]


def check_images(images: Sequence[Image]) -> None:
    """Read every file once, in threads, for its digest and its wholeness.

    Raises:
        BadImagesError: names every file that cannot be read and why, before any long work.
    """
    # By blocks: a task for each of a million images would take more memory than all that is known of them.
    blocks = range(0, len(images), BLOCK)
    with ThreadPoolExecutor(min(8, (os.cpu_count() or 1) * 2)) as pool:
        found = pool.map(lambda start: _faults(images, range(start, min(start + BLOCK, len(images)))), blocks)
        faults = {row: why for block in found for row, why in block.items()}
    if faults:
        raise BadImagesError(faults)


def _faults(images: Sequence[Image], rows: range) -> dict[int, str]:
    """What is wrong with images of these row numbers."""
    faults: dict[int, str] = {}
    for row in rows:
        image = images[row]
        try:
            if isinstance(image, ImageFile):
                image.check()
            digest = image.digest
        except ImageError as error:
            faults[row] = str(error)
        else:
            if isinstance(images, Files):
                images.note(row, digest)
    return faults
