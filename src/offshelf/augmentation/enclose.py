"""The smallest square around a region: it takes in what lies beside the region, and is filled beyond the image."""

import numpy as np

from offshelf.augmentation.resize import Pixels, resize
from offshelf.augmentation.rotate import Colour, Fill
from offshelf.backbone.preprocessing import Interpolation

Edges = tuple[int, int, int, int]


def grow(edges: Edges, width: int, height: int) -> Edges:
    """The smallest square around left, top, right, bottom, moved into an image where it fits, else cut to it.

    It is cut along an axis only where the image is shorter than the square, so that what it lacks lies in equal parts
    on both sides.
    """
    left, top, right, bottom = edges
    side = max(right - left, bottom - top)
    left, right = _grown(left, right, min(side, width), width)
    top, bottom = _grown(top, bottom, min(side, height), height)
    return left, top, right, bottom


def enclose(pixels: Pixels, size: tuple[int, int], interpolation: Interpolation, fill: Fill, mean: Colour) -> Pixels:
    """An image uint8 [H, W, 3] in the middle of a square, its longer side as long: uint8 [*size, 3].

    Where the size, a height and a width, is no square, it fits inside as large as it can.

    What the shorter side lacks is filled in after resizing, which costs least.
    """
    height, width = pixels.shape[:2]
    high, wide = size
    scale = min(high / height, wide / width)
    inner = resize(pixels, max(1, round(scale * width)), max(1, round(scale * height)), interpolation)
    height, width = inner.shape[:2]
    if (height, width) == size:
        return inner
    if fill in ("reflect", "edge"):
        return inner[_places(height, high, fill)][:, _places(width, wide, fill)]
    top, left = (high - height) // 2, (wide - width) // 2
    colour = mean if fill == "mean" else (0, 0, 0)
    if isinstance(inner, np.ndarray):
        canvas = np.full((high, wide, 3), colour, np.uint8)
    else:
        canvas = inner.new_tensor(colour).repeat(high, wide, 1)
    canvas[top : top + height, left : left + width] = inner
    return canvas


def _grown(start: int, stop: int, length: int, extent: int) -> tuple[int, int]:
    begin = min(max((start + stop - length) // 2, 0), extent - length)
    return begin, begin + length


def _places(length: int, side: int, fill: Fill) -> np.ndarray:
    """Which of the pixels of an axis is seen at each place of a square, as `numpy.pad` continues them: int64 [side]."""
    place = np.arange(side) - (side - length) // 2
    if fill == "edge":
        return place.clip(0, length - 1)
    period = max(2 * (length - 1), 1)
    place = place % period
    return np.minimum(place, period - place) if length > 1 else place
