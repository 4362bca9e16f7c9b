"""From pixels to a network's input: the geometry and normalisation a backbone was trained with."""

from dataclasses import dataclass, replace
from typing import Literal

Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]


@dataclass(frozen=True)
class Preprocessing:
    """Resize the shorter side to `resize`, crop the centre square of `crop` pixels, scale to 0..1, normalise.

    Interpolation antialiases, as torchvision's and timm's evaluation transforms do on PIL images: along the rows first,
    in the order that Pillow had before 13.0.0, see `augmentation.resize`.
    """

    resize: int = 256
    """Length of the shorter side after resizing, in pixels."""
    crop: int = 224
    """Side of the square the network sees, in pixels."""
    interpolation: Interpolation = "bilinear"
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)

    def scaled(self, scale: float) -> "Preprocessing":
        """The same at another size: all lengths times `scale`, rounded."""
        resize, crop = (max(1, round(length * scale)) for length in (self.resize, self.crop))
        return replace(self, resize=resize, crop=crop)

    def __str__(self) -> str:
        mean, std = ([round(value, 4) for value in values] for values in (self.mean, self.std))
        return (
            f"shorter side to {self.resize}, centre crop {self.crop} x {self.crop}, {self.interpolation}, "
            f"mean {mean}, std {std}"
        )
