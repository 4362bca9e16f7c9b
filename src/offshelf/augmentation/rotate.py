"""Rotation about the centre: Pillow's bilinear resampling, on the CPU.

It has no counterpart on a device with the same pixels, so that a tensor's way goes through the CPU's memory.
"""

import math
from typing import Literal

import numpy as np

from offshelf.augmentation.resize import Picture

Fill = Literal["reflect", "edge", "black", "mean"]
FILLS = ("reflect", "edge", "black", "mean")

Colour = tuple[int, int, int]


def rotate(pixels: Picture, angle: float, inscribed: bool, fill: Fill, mean: Colour) -> Picture:
    """An image uint8 [H, W, 3] turned counter-clockwise by `angle` degrees: uint8 [h, w, 3].

    Args:
        pixels: The image.
        angle: In degrees.
        inscribed: Whether to keep the largest rectangle of the image's aspect ratio that holds no pixel from outside
            the image (h <= H, w <= W), or the image's own frame, filled.
        fill: What is seen outside the image: its pixels reflected, its border continued, black or `mean`.
        mean: RGB.
    """
    if not isinstance(pixels, np.ndarray):
        return pixels.new_tensor(rotate(pixels.cpu().numpy(), angle, inscribed, fill, mean))
    height, width = pixels.shape[:2]
    # Rounded, as Pillow's own rotation rounds them, so that quarter turns are exact.
    cosine, sine = (round(function(math.radians(angle)), 15) for function in (math.cos, math.sin))
    if inscribed:
        side = inscribed_side(width, height, angle)
        width, height = (max(1, math.floor(side * length + 1e-9)) for length in (width, height))
    elif fill in ("reflect", "edge"):
        pixels = _extended(pixels, abs(cosine), abs(sine), fill)
    return _turned(pixels, (width, height), cosine, sine, mean if fill == "mean" else (0, 0, 0))


def inscribed_side(width: int, height: int, angle: float) -> float:
    """Side of the largest rectangle of an image's aspect ratio inside the rotated image, as a fraction of the image's.

    Turned back, the corners of s W x s H lie at s (W |cos| + H |sin|) / 2 and s (W |sin| + H |cos|) / 2 from the
    centre, and must not be beyond W / 2 and H / 2.
    """
    elongation = max(width / height, height / width)
    return 1 / (
        abs(round(math.cos(math.radians(angle)), 15)) + elongation * abs(round(math.sin(math.radians(angle)), 15))
    )


def _extended(pixels: np.ndarray, cosine: float, sine: float, fill: Literal["reflect", "edge"]) -> np.ndarray:
    """The image continued on all sides, as far as the corners of its rotated frame reach."""
    height, width = pixels.shape[:2]
    right, below = width * cosine + height * sine - width, width * sine + height * cosine - height
    x, y = (max(0, math.ceil(beyond / 2)) + 1 for beyond in (right, below))
    return np.pad(pixels, ((y, y), (x, x), (0, 0)), mode=fill)


def _turned(pixels: np.ndarray, size: tuple[int, int], cosine: float, sine: float, colour: Colour) -> np.ndarray:
    """The frame of a size (width, height) about the centre of the rotated image."""
    from PIL import Image

    height, width = pixels.shape[:2]
    x, y = size[0] / 2, size[1] / 2
    # Where a pixel comes from: the frame's centre from the image's, and about it turned back.
    source = (cosine, -sine, width / 2 - cosine * x + sine * y, sine, cosine, height / 2 - sine * x - cosine * y)
    image = Image.fromarray(pixels)
    return np.asarray(
        image.transform(size, Image.Transform.AFFINE, source, Image.Resampling.BILINEAR, fillcolor=colour)
    )
