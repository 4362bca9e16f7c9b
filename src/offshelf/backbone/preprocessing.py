"""From pixels to a network's input: the geometry and normalisation a backbone was trained with."""

from dataclasses import dataclass, replace
from typing import Literal

Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]


@dataclass(frozen=True)
class Preprocessing:
    """Resize the shorter side to `resize`, crop the centre square of `crop` pixels, scale to 0..1, normalise.

    Interpolation is Pillow's, which antialiases, as torchvision's and timm's evaluation transforms do on PIL images.
    """

    resize: int = 256
    """Length of the shorter side after resizing, in pixels."""
    crop: int = 224
    """Side of the square the network sees, in pixels."""
    interpolation: Interpolation = "bilinear"
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of what the network sees, in pixels."""
        return self.crop, self.crop

    def scaled(self, scale: float) -> "Preprocessing":
        """The same at another size: all lengths times `scale`, rounded."""
        lengths = {name: max(1, round(getattr(self, name) * scale)) for name in self._lengths}
        return replace(self, **lengths)

    @property
    def _lengths(self) -> tuple[str, ...]:
        return ("resize", "crop")

    def __str__(self) -> str:
        return f"{self._geometry}, {self.interpolation}, mean {_rounded(self.mean)}, std {_rounded(self.std)}"

    @property
    def _geometry(self) -> str:
        return f"shorter side to {self.resize}, centre crop {self.crop} x {self.crop}"


@dataclass(frozen=True)
class Upright(Preprocessing):
    """What a network sees is `height` pixels high and `crop` wide; otherwise the same: the image covers it."""

    height: int = 224
    """In pixels."""
    resize_height: int = 256
    """Height to cover before the centre is cut out, in pixels, as `resize` is the width."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of what the network sees, in pixels."""
        return self.height, self.crop

    @property
    def _lengths(self) -> tuple[str, ...]:
        return ("resize", "crop", "height", "resize_height")

    @property
    def _seen(self) -> str:
        """Width first, as images are described."""
        centre = "" if (self.resize, self.resize_height) == (self.crop, self.height) else ", centre crop"
        return f"{self.resize} x {self.resize_height} pixels (width x height)" + (
            f"{centre} {self.crop} x {self.height}" if centre else ""
        )

    @property
    def _geometry(self) -> str:
        return f"covers {self._seen}"


@dataclass(frozen=True)
class Squashed(Upright):
    """The whole image warped to `resize` x `resize_height` pixels, whatever its shape; of it the centre is seen."""

    @property
    def _geometry(self) -> str:
        return f"warped to {self._seen}"


@dataclass(frozen=True)
class Letterboxed(Upright):
    """The whole image fits into `resize` x `resize_height` pixels, between bars of the mean colour; of it the centre."""

    @property
    def _geometry(self) -> str:
        return f"fitted into {self._seen}, bars of the mean colour"


def _rounded(values: tuple[float, ...]) -> list[float]:
    return [round(value, 4) for value in values]
