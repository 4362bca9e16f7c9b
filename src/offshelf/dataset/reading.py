"""One reading of every image, for its digest and to find unusable files before any long work."""

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock

from offshelf.dataset.files import Files
from offshelf.dataset.image import Image, ImageFile
from offshelf.dataset.intensity_range import Extent, ValueRange, common_range, describe
from offshelf.dataset.location import version_of
from offshelf.dataset.remote.seen import seen
from offshelf.errors import BadImagesError, ImageError
from offshelf.terminal.progress import Counter, counting

log = logging.getLogger(__name__)

IN_FLIGHT = 16
"""Requests at once: threads that wait for a server need no core."""


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
    threads = IN_FLIGHT if _are_remote(images) else min(8, (os.cpu_count() or 1) * 2)
    with counting("images read", len(images)) as counter, ThreadPoolExecutor(threads) as pool:
        found = _Found(iter(range(len(images))), counter)
        try:
            for done in [pool.submit(_look, images, found) for _ in range(threads)]:
                done.result()
        finally:
            found.rows = iter(())
            seen().flush()
    faults = {row: found.faults[row] for row in sorted(found.faults)}
    extents = {row: found.extents[row] for row in sorted(found.extents)}
    if faults:
        raise BadImagesError(faults)
    if extents:
        _settle(images, extents)


def _are_remote(images: Sequence[Image]) -> bool:
    first = images[0] if len(images) else None
    return isinstance(first, ImageFile) and bool(version_of(first.path))


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


@dataclass
class _Found:
    """What threads have found; they take the rows one by one, so that neighbours are read at about the same time."""

    rows: Iterator[int]
    counter: Counter
    faults: dict[int, str] = field(default_factory=dict)
    extents: dict[int, Extent] = field(default_factory=dict)
    """Values of images whose range must be resolved."""
    lock: Lock = field(default_factory=Lock)

    def next(self) -> int | None:
        """Return the next row; None if there is none."""
        with self.lock:
            row = next(self.rows, None)
            self.counter.done += row is not None
            return row


def _look(images: Sequence[Image], found: _Found) -> None:
    """Check images until none is left."""
    while (row := found.next()) is not None:
        image = images[row]
        try:
            extent = image.check() if isinstance(image, ImageFile) else None
            if extent:
                found.extents[row] = extent
                continue
            digest = image.digest
        except ImageError as error:
            found.faults[row] = str(error)
        else:
            if isinstance(images, Files):
                images.note(row, digest)
