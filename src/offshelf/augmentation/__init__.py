"""Which views an image is seen through: in training views are samples, in testing their responses are summed."""

from offshelf.augmentation.augmentation import (
    Augmentation,
    Views,
    center,
    five_crop,
    jitter8,
    jitter16,
    mirror,
    square,
    ten_crop,
    whole,
)
from offshelf.augmentation.view import View, look

__all__ = [
    "Augmentation",
    "View",
    "Views",
    "center",
    "five_crop",
    "jitter8",
    "jitter16",
    "look",
    "mirror",
    "square",
    "ten_crop",
    "whole",
]
