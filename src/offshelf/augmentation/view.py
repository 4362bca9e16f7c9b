"""Views: the geometry an image is seen through, as data with an identity."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from offshelf.augmentation.resize import Picture, resize
from offshelf.backbone.preprocessing import Preprocessing

Box = tuple[float, float, float, float]

LONGEST = 16
"""Sides of an image beyond 16 to 1 are cut to that about the centre before `center` enlarges them: of a strip of
30,000 x 2 pixels a network sees the middle either way, and 256 pixels for 2 would need 3 GB for the rest."""


@dataclass(frozen=True)
class View:
    """One way to look at an image: a sub-window, how it becomes the square a network sees, and a mirror."""

    box: Box = (0.0, 0.0, 1.0, 1.0)
    """Sub-window x1, y1, x2, y2 as fractions of the image's width and height."""
    fit: Literal["center", "whole"] = "center"
    """`center`: shorter side to `resize`, centre square of `crop`. `whole`: warped to `crop` x `crop`."""
    mirror: bool = False
    """Left and right exchanged, after all else."""

    def __str__(self) -> str:
        window = "" if self.box == View.box else "[" + " ".join(f"{edge:.3g}" for edge in self.box) + "] "
        return f"{window}{self.fit}{' mirrored' if self.mirror else ''}"

    def apply(self, pixels: Picture, preprocessing: Preprocessing) -> Picture:
        """The view's pixels: uint8 [crop, crop, 3] from an image uint8 [H, W, 3], both arrays or both tensors.

        A tensor's view is made on its device, and has the same pixels.
        """
        window = self._window(pixels)
        seen = _center(window, preprocessing) if self.fit == "center" else _whole(window, preprocessing)
        if not self.mirror:
            return seen
        return seen[:, ::-1] if isinstance(seen, np.ndarray) else seen.flip(1)

    def _window(self, pixels: Picture) -> Picture:
        if self.box == (0.0, 0.0, 1.0, 1.0):
            return pixels
        height, width = pixels.shape[:2]
        x1, y1, x2, y2 = self.box
        left, top = min(round(x1 * width), width - 1), min(round(y1 * height), height - 1)
        right, bottom = round(x2 * width), round(y2 * height)
        return pixels[top : max(bottom, top + 1), left : max(right, left + 1)]


def _center(pixels: Picture, to: Preprocessing) -> Picture:
    # Rounding as in torchvision's Resize and CenterCrop, so that published accuracies carry over.
    pixels = _shortened(pixels)
    height, width = pixels.shape[:2]
    scaled = max(1, int(to.resize * max(width, height) / min(width, height)))
    width, height = (to.resize, scaled) if width <= height else (scaled, to.resize)
    left, top = round((width - to.crop) / 2), round((height - to.crop) / 2)
    resized = resize(pixels, width, height, to.interpolation)
    if left >= 0 and top >= 0:
        return resized[top : top + to.crop, left : left + to.crop]
    canvas = _black(resized, to.crop)  # where a crop is larger than the image
    inner = resized[max(top, 0) : max(top, 0) + to.crop, max(left, 0) : max(left, 0) + to.crop]
    canvas[max(-top, 0) :, max(-left, 0) :][: inner.shape[0], : inner.shape[1]] = inner
    return canvas


def _black(like: Picture, side: int) -> Picture:
    return np.zeros((side, side, 3), np.uint8) if isinstance(like, np.ndarray) else like.new_zeros((side, side, 3))


def _shortened(pixels: Picture) -> Picture:
    height, width = pixels.shape[:2]
    tallest, widest = LONGEST * width, LONGEST * height
    top, left = max(0, (height - tallest) // 2), max(0, (width - widest) // 2)
    return pixels[top : top + tallest, left : left + widest]


def _whole(pixels: Picture, to: Preprocessing) -> Picture:
    return resize(pixels, to.crop, to.crop, to.interpolation)
