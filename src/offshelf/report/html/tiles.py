"""Small pictures for the page, many on one sheet: a file for each would be mostly headers."""

import base64
import io
import logging
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from offshelf.dataset import Image, ImageFile, thumbnail
from offshelf.dataset.decode import decode
from offshelf.dataset.location import version_of
from offshelf.dataset.remote.kept import kept
from offshelf.errors import ImageError, RemoteError
from offshelf.memo import once

log = logging.getLogger(__name__)

SIDE = 96
"""Longest side of a picture, in pixels."""
COLUMNS = 8
SHEET = COLUMNS**2
"""Number of pictures on a sheet."""
PIXELATED = 40
"""Longest side up to which pictures are kept without loss, to be enlarged pixel by pixel."""
WORKERS = 4
"""Number of images that are decoded at once."""
MOST = 1000
"""Number of pictures: each costs the time to decode an image."""


@dataclass
class Tiles:
    """Pictures of the first images of an order."""

    side: int = 0
    """Pixels between the corners of two pictures on a sheet."""
    is_exact: bool = False
    """Whether pictures are to be enlarged pixel by pixel."""
    sheets: list[str] = field(default_factory=list)
    """Data URIs, of SHEET pictures each; the last one may have fewer."""
    numbers: list[int] = field(default_factory=list)
    """Places of the images in the order that have a picture."""
    places: list[int] = field(default_factory=list)
    """Place of each picture: SHEET times the number of its sheet, and its place on it."""
    sizes: list[tuple[int, int]] = field(default_factory=list)
    """Width and height of each picture."""

    @staticmethod
    def of(images: Sequence[Image], budget: float) -> "Tiles":
        """Make pictures of images, the first ones first, until they take `budget` characters of the page.

        Images that can no longer be read have none, nor those of a server that has gone, and all after them.
        """
        tiles = Tiles()
        try:
            tiles._fill(images, budget)
        except RemoteError as error:
            log.warning("report.html shows only some of the images: %s", error)
        return tiles

    def _fill(self, images: Sequence[Image], budget: float) -> None:
        with ThreadPoolExecutor(min(WORKERS, os.cpu_count() or 1)) as pool:
            for start in range(0, min(len(images), MOST), SHEET):
                batch = list(enumerate(images))[start : min(start + SHEET, MOST)]
                parts = [[image for _, image in batch[first::WORKERS]] for first in range(WORKERS)]
                made = list(pool.map(_pictures, parts, [copy_context() for _ in parts]))
                found = [made[place % WORKERS][place // WORKERS] for place in range(len(batch))]
                known = [(number, one) for (number, _), one in zip(batch, found, strict=True) if one is not None]
                if known and not self._add(known, budget):
                    break

    @staticmethod
    def of_pictures(pictures: Sequence[np.ndarray | None], budget: float) -> "Tiles":
        """Arrange pictures that are small already, uint8 [H, W, 3], the first ones first; None where there is none."""
        tiles = Tiles()
        known = [(number, one) for number, one in enumerate(pictures) if one is not None][:MOST]
        for start in range(0, len(known), SHEET):
            if not tiles._add(known[start : start + SHEET], budget):
                break
        return tiles

    def _add(self, pictures: list[tuple[int, np.ndarray]], budget: float) -> bool:
        """Add a sheet of as many pictures as there is room for. Returns whether there was room for all."""
        if not self.side:
            self.side = min(SIDE, max(max(one.shape[:2]) for _, one in pictures))
            self.is_exact = self.side <= PIXELATED
        left = budget - sum(map(len, self.sheets))
        sheet = self._sheet([one for _, one in pictures])
        fitting = len(pictures)
        while len(sheet) > left and fitting:
            fitting = min(fitting - 1, int(0.95 * fitting * left / len(sheet)))
            sheet = self._sheet([one for _, one in pictures[:fitting]]) if fitting > 0 else ""
        if fitting > 0:
            self.places += [len(self.sheets) * SHEET + place for place in range(fitting)]
            self.sheets.append(sheet)
            self.numbers += [number for number, _ in pictures[:fitting]]
            self.sizes += [self._fitting(one).shape[1::-1] for _, one in pictures[:fitting]]
        return fitting == len(pictures)

    def _sheet(self, pictures: Sequence[np.ndarray]) -> str:
        rows = -(-len(pictures) // COLUMNS)
        pixels = np.full((rows * self.side, COLUMNS * self.side, 3), 128, np.uint8)
        for (top, left), one in zip(self._corners(), pictures, strict=False):
            fitted = self._fitting(one)
            pixels[top : top + len(fitted), left : left + fitted.shape[1]] = fitted
        kind, data = _encoded(pixels, self.is_exact)
        return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"

    def _corners(self) -> Iterator[tuple[int, int]]:
        for place in range(SHEET):
            yield place // COLUMNS * self.side, place % COLUMNS * self.side

    def _fitting(self, picture: np.ndarray) -> np.ndarray:
        """Return a picture that is no larger than those of the first sheet."""
        return picture if max(picture.shape[:2]) <= self.side else _shrunk(picture, self.side)


def _pictures(images: Sequence[Image], context: Context) -> list[np.ndarray | None]:
    """Return small pictures of images, which the jobs of a sweep share."""
    return [context.run(_picture, image) for image in images]


def _picture(image: Image) -> np.ndarray | None:
    """Return a small picture; None if the image cannot be read any more. Raises RemoteError."""
    try:
        return once(lambda: _kept_picture(image), "tile", image.digest, SIDE)
    except ImageError:
        return None


def _kept_picture(image: Image) -> np.ndarray:
    """Return a small picture; one of a remote image from the home, where it is kept, so that no run reads it again."""
    if not (isinstance(image, ImageFile) and version_of(image.path)):
        return _shrunk(thumbnail(image, SIDE), SIDE)
    name = f"picture of {SIDE} pixels of {image.digest}"
    data = kept().get(name)
    if data is not None:
        return decode(data, (0, 0, 0))
    pixels = _shrunk(thumbnail(image, SIDE), SIDE)
    kept().put(name, _encoded(pixels, is_exact=True)[1], share=1.0)
    return pixels


def _shrunk(pixels: np.ndarray, side: int) -> np.ndarray:
    longest = max(pixels.shape[:2])
    if longest <= side:
        return pixels
    from PIL import Image as Pillow

    height, width = (max(1, round(length * side / longest)) for length in pixels.shape[:2])
    smaller = Pillow.fromarray(pixels).resize((width, height), Pillow.Resampling.BICUBIC, reducing_gap=2.0)
    return np.asarray(smaller)


def _encoded(pixels: np.ndarray, is_exact: bool) -> tuple[str, bytes]:
    from PIL import Image as Pillow

    data = io.BytesIO()
    picture: Any = Pillow.fromarray(pixels)
    if is_exact:
        if (pixels == pixels[..., :1]).all():
            picture = picture.convert("L")
        picture.save(data, "PNG", compress_level=1)  # a third of the time, a fifth larger
        return "png", data.getvalue()
    picture.save(data, "JPEG", quality=78)
    return "jpeg", data.getvalue()
