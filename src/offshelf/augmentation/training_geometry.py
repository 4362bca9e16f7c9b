"""The published geometry of networks other than the centre square: warped, letterboxed, or upright.

It follows timm's evaluation of such networks (`transforms_imagenet_eval`), with the same rounding.
"""

import numpy as np

from offshelf.augmentation.resize import Pixels, resize
from offshelf.augmentation.rotate import Colour
from offshelf.backbone.preprocessing import Letterboxed, Squashed, Upright


def published(pixels: Pixels, to: Upright, bars: Colour) -> Pixels:
    """Convert an image uint8 [H, W, 3] to the network's input: uint8 [height, crop, 3]."""
    height, width = pixels.shape[:2]
    if isinstance(to, Squashed):
        height, width = to.resize_height, to.resize
    else:
        ratios = height / to.resize_height, width / to.resize
        ratio = max(ratios) if isinstance(to, Letterboxed) else min(ratios)
        height, width = max(1, round(height / ratio)), max(1, round(width / ratio))
    return _centred(resize(pixels, width, height, to.interpolation), to.height, to.crop, bars)


def _centred(pixels: Pixels, height: int, width: int, bars: Colour) -> Pixels:
    """Return the centre of an image, with bars if it is smaller."""
    top, left = max(0, round((pixels.shape[0] - height) / 2)), max(0, round((pixels.shape[1] - width) / 2))
    inner = pixels[top : top + height, left : left + width]
    if inner.shape[:2] == (height, width):
        return inner
    if isinstance(inner, np.ndarray):
        canvas = np.full((height, width, 3), bars, np.uint8)
    else:
        canvas = inner.new_tensor(bars).repeat(height, width, 1)
    top, left = (height - inner.shape[0]) // 2, (width - inner.shape[1]) // 2
    canvas[top : top + inner.shape[0], left : left + inner.shape[1]] = inner
    return canvas
