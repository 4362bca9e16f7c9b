"""The views of an image.

In training, views are samples; in testing, their responses are summed; in retrieval, they are compared one by one.
"""

from offshelf.augmentation.augmentation import (
    Augmentation,
    Views,
    center,
    five_crop,
    jitter8,
    jitter16,
    mirror,
    multi_scale,
    square,
    ten_crop,
    whole,
)
from offshelf.augmentation.patch_grid import PatchGrid
from offshelf.augmentation.view import View, look

__all__ = [
    "Augmentation",
    "PatchGrid",
    "View",
    "Views",
    "center",
    "five_crop",
    "jitter8",
    "jitter16",
    "look",
    "mirror",
    "multi_scale",
    "square",
    "ten_crop",
    "whole",
]
