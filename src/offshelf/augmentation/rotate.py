"""Rotation about the centre, bilinear, on the CPU.

The definition is this module's own (`exact`). Pillow computes it several times faster, and is used once a probe, made
once per process, is equal. No device computes the same pixels, so that tensors are copied to the CPU.
"""

import logging
import math
from functools import lru_cache
from typing import Literal

import numpy as np

from offshelf.augmentation.resize import Pixels

Fill = Literal["reflect", "edge", "black", "mean"]
FILLS = ("reflect", "edge", "black", "mean")

Colour = tuple[int, int, int]

Affine = tuple[float, float, float, float, float, float]

log = logging.getLogger(__name__)


def rotate(pixels: Pixels, angle: float, inscribed: bool, fill: Fill, mean: Colour) -> Pixels:
    """Rotate an image uint8 [H, W, 3] counter-clockwise by `angle` degrees: uint8 [h, w, 3].

    Args:
        pixels: The image.
        angle: Angle in degrees.
        inscribed: Whether to keep the largest rectangle of the image's aspect ratio without pixels from outside the
            image (h <= H, w <= W), or the image's own frame, filled.
        fill: Pixels outside the image: its pixels reflected, its border continued, black or `mean`.
        mean: Mean colour, RGB.
    """
    if not isinstance(pixels, np.ndarray):
        return pixels.new_tensor(rotate(pixels.cpu().numpy(), angle, inscribed, fill, mean))
    height, width = pixels.shape[:2]
    # Rounded as in Pillow's own rotation, so that quarter turns are exact.
    cosine, sine = (round(function(math.radians(angle)), 15) for function in (math.cos, math.sin))
    if inscribed:
        side = inscribed_side(width, height, angle)
        width, height = (max(1, math.floor(side * length + 1e-9)) for length in (width, height))
    elif fill in ("reflect", "edge"):
        pixels = _extended(pixels, abs(cosine), abs(sine), fill)
    return _turned(pixels, (width, height), cosine, sine, mean if fill == "mean" else (0, 0, 0))


def inscribed_side(width: int, height: int, angle: float) -> float:
    """Return the side of the largest rectangle of an image's aspect ratio inside the rotated image, as a fraction.

    Rotated back, the corners of s W x s H lie at s (W |cos| + H |sin|) / 2 and s (W |sin| + H |cos|) / 2 from the
    centre, which must not exceed W / 2 and H / 2.
    """
    elongation = max(width / height, height / width)
    return 1 / (
        abs(round(math.cos(math.radians(angle)), 15)) + elongation * abs(round(math.sin(math.radians(angle)), 15))
    )


def _extended(pixels: np.ndarray, cosine: float, sine: float, fill: Literal["reflect", "edge"]) -> np.ndarray:
    """Extend the image on all sides up to the corners of its rotated frame."""
    height, width = pixels.shape[:2]
    right, below = width * cosine + height * sine - width, width * sine + height * cosine - height
    x, y = (max(0, math.ceil(beyond / 2)) + 1 for beyond in (right, below))
    return np.pad(pixels, ((y, y), (x, x), (0, 0)), mode=fill)


def _turned(pixels: np.ndarray, size: tuple[int, int], cosine: float, sine: float, colour: Colour) -> np.ndarray:
    """Return the frame of a size (width, height) about the centre of the rotated image."""
    height, width = pixels.shape[:2]
    x, y = size[0] / 2, size[1] / 2
    # Source of a pixel: the frame's centre is the image's centre; offsets are rotated back.
    source = (cosine, -sine, width / 2 - cosine * x + sine * y, sine, cosine, height / 2 - sine * x - cosine * y)
    return _with_pillow(pixels, size, source, colour) if _pillow_is_equal() else exact(pixels, size, source, colour)


def exact(pixels: np.ndarray, size: tuple[int, int], source: Affine, colour: Colour) -> np.ndarray:
    """Show an image uint8 [H, W, 3] through a frame of a size (width, height), uint8 [h, w, 3]. This is the definition.

    A pixel of the frame with centre x, y is a weighted mean, rounded down, of the four pixels around a x + b y + c, d x
    + e y + f of the image. The image's border extends by half a pixel; beyond it the pixel is `colour`.
    """
    height, width = pixels.shape[:2]
    a, b, c, d, e, f = source
    x, y = np.arange(size[0]) + 0.5, np.arange(size[1])[:, None] + 0.5
    column, row = a * x + b * y + c, d * x + e * y + f
    is_inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    column, row = column - 0.5, row - 0.5
    left, top = np.floor(column).astype(np.int64), np.floor(row).astype(np.int64)
    right, below = ((column - left)[..., None], (row - top)[..., None])
    columns, rows = (
        [(left + step).clip(0, width - 1) for step in (0, 1)],
        [(top + step).clip(0, height - 1) for step in (0, 1)],
    )
    values = pixels.astype(np.float64)
    upper, lower = (
        values[each, columns[0]] + (values[each, columns[1]] - values[each, columns[0]]) * right for each in rows
    )
    return np.where(is_inside[..., None], upper + (lower - upper) * below, colour).astype(np.uint8)


@lru_cache
def _pillow_is_equal() -> bool:
    """Return whether Pillow equals the definition, in this release and on this processor."""
    probe = np.random.default_rng(0).integers(0, 256, (41, 53, 3), dtype=np.uint8)
    sources = ((0.8, -0.6, 11.3, 0.6, 0.8, -9.1), (0.0, 1.0, 0.0, -1.0, 0.0, 41.0), (0.98, 0.2, -4.7, -0.2, 0.98, 5.9))
    frame, colour = (50, 45), (1, 2, 3)
    is_equal = all(
        np.array_equal(_with_pillow(probe, frame, source, colour), exact(probe, frame, source, colour))
        for source in sources
    )
    if not is_equal:
        log.warning("Pillow's rotation differs from offshelf's definition: NumPy is used, more slowly.")
    return is_equal


def _with_pillow(pixels: np.ndarray, size: tuple[int, int], source: Affine, colour: Colour) -> np.ndarray:
    from PIL import Image

    image = Image.fromarray(pixels)
    return np.asarray(
        image.transform(size, Image.Transform.AFFINE, source, Image.Resampling.BILINEAR, fillcolor=colour)
    )
