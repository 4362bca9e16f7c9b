"""Views: the geometry an image is seen through, as data with an identity, applied with Pillow."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

from offshelf.backbone.preprocessing import Preprocessing

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class View:
    """One way to look at an image: a sub-window, how it becomes the square a network sees, and a mirror."""

    box: Box = (0.0, 0.0, 1.0, 1.0)
    """Sub-window x1, y1, x2, y2 as fractions of the image's width and height."""
    fit: Literal["center", "whole"] = "center"
    """`center`: shorter side to `resize`, centre square of `crop`. `whole`: warped to `crop` x `crop`."""
    mirror: bool = False
    """Left and right exchanged, after all else."""

    def apply(self, pixels: np.ndarray, preprocessing: Preprocessing) -> np.ndarray:
        """The view's pixels: uint8 [crop, crop, 3] from an image uint8 [H, W, 3]."""
        image = self._window(Image.fromarray(pixels))
        image = _center(image, preprocessing) if self.fit == "center" else _whole(image, preprocessing)
        seen = np.asarray(image)
        return np.ascontiguousarray(seen[:, ::-1]) if self.mirror else seen

    def _window(self, image: Image.Image) -> Image.Image:
        if self.box == (0.0, 0.0, 1.0, 1.0):
            return image
        x1, y1, x2, y2 = self.box
        left, top = round(x1 * image.width), round(y1 * image.height)
        right, bottom = round(x2 * image.width), round(y2 * image.height)
        return image.crop((left, top, max(right, left + 1), max(bottom, top + 1)))


def _center(image: Image.Image, to: Preprocessing) -> Image.Image:
    # Rounding as in torchvision's Resize and CenterCrop, so that published accuracies carry over.
    short, long = sorted(image.size)
    scaled = max(1, int(to.resize * long / short))
    width, height = (to.resize, scaled) if image.width <= image.height else (scaled, to.resize)
    image = image.resize((width, height), _RESAMPLING[to.interpolation])
    left, top = round((width - to.crop) / 2), round((height - to.crop) / 2)
    return image.crop((left, top, left + to.crop, top + to.crop))


def _whole(image: Image.Image, to: Preprocessing) -> Image.Image:
    return image.resize((to.crop, to.crop), _RESAMPLING[to.interpolation])


_RESAMPLING = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
