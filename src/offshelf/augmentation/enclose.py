"""The smallest square around a region, which includes the region's surroundings and is filled beyond the image."""

import numpy as np

from offshelf.augmentation.resize import Pixels, resize
from offshelf.augmentation.rotate import Colour, Fill
from offshelf.backbone.preprocessing import Interpolation

Edges = tuple[int, int, int, int]


def grow(edges: Edges, width: int, height: int) -> Edges:
    """Return the smallest square around left, top, right, bottom, moved into an image if it fits, else clipped.

    It is clipped only along an axis in which the image is shorter than the square; what it lacks then lies equally on
    both sides.
    """
    left, top, right, bottom = edges
    side = max(right - left, bottom - top)
    left, right = _grown(left, right, min(side, width), width)
    top, bottom = _grown(top, bottom, min(side, height), height)
    return left, top, right, bottom


def enclose(pixels: Pixels, size: tuple[int, int], interpolation: Interpolation, fill: Fill, mean: Colour) -> Pixels:
    """Centre an image uint8 [H, W, 3] in a square of the size of its longer side: uint8 [*size, 3].

    If the size (height, width) is not square, the image fits inside as large as possible. The missing part is filled
    after resizing, which is cheapest.
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
    """Return the pixel of an axis for each position of a square, as `numpy.pad` continues them: int64 [side]."""
    place = np.arange(side) - (side - length) // 2
    if fill == "edge":
        return place.clip(0, length - 1)
    period = max(2 * (length - 1), 1)
    place = place % period
    return np.minimum(place, period - place) if length > 1 else place
