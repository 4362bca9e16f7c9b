"""Preprocessing from pixels to a network's input: the geometry and normalisation of the training."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from math import isfinite
from typing import Any, Literal, get_args

from offshelf.errors import BackboneError
from offshelf.suggest import did_you_mean

Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]


@dataclass(frozen=True)
class Preprocessing:
    """A resize of the shorter side to `resize`, a centre crop of `crop` pixels, scaling to 0..1, and normalisation.

    Interpolation antialiases, as torchvision's and timm's evaluation transforms do on PIL images. Rows are resized
    first, as in Pillow before 13.0.0, see `augmentation.resize`.
    """

    resize: int = 256
    """Length of the shorter side after resizing, in pixels."""
    crop: int = 224
    """Side of the network's square input, in pixels."""
    interpolation: Interpolation = "bilinear"
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)

    def __post_init__(self) -> None:
        for name in self._lengths:
            length = getattr(self, name)
            if isinstance(length, bool) or not isinstance(length, int) or length < 1:
                raise BackboneError(f"backbone.sees.{name} must be a number of pixels of at least 1; got {length!r}.")
        if self.interpolation not in get_args(Interpolation):
            known = ", ".join(get_args(Interpolation))
            raise BackboneError(f"backbone.sees.interpolation must be one of {known}; got '{self.interpolation}'.")
        for name in ("mean", "std"):
            object.__setattr__(self, name, _three(name, getattr(self, name)))
        if min(self.std) <= 0:
            raise BackboneError(f"backbone.sees.std is a divisor and must be above 0; got {list(self.std)}.")

    @staticmethod
    def of(given: "Preprocessing | Mapping[str, Any] | None") -> "Preprocessing":
        """Convert the value of a config: a preprocessing, or some of its fields by name.

        Raises:
            BackboneError: There is no such field, or a value does not fit.
        """
        if isinstance(given, Preprocessing):
            return given
        known = [field.name for field in fields(Preprocessing)]
        for name in given or {}:
            if name not in known:
                raise BackboneError(f"backbone.sees has no key '{name}'{did_you_mean(str(name), known)}")
        return Preprocessing(**given or {})

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the network's input, in pixels."""
        return self.crop, self.crop

    def scaled(self, scale: float) -> "Preprocessing":
        """Return the same preprocessing at another size: all lengths times `scale`, rounded."""
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
    """Preprocessing for an input `height` pixels high and `crop` wide, which the resized image covers."""

    height: int = 224
    """Height of the input, in pixels."""
    resize_height: int = 256
    """Height to cover before the centre crop, in pixels, as `resize` is the width."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the network's input, in pixels."""
        return self.height, self.crop

    @property
    def _lengths(self) -> tuple[str, ...]:
        return ("resize", "crop", "height", "resize_height")

    @property
    def _seen(self) -> str:
        """Describe the size, width first, as is usual for images."""
        whole, centre = f"{self.resize} x {self.resize_height}", f"{self.crop} x {self.height}"
        return f"{whole} pixels (width x height)" + ("" if whole == centre else f", centre crop {centre}")

    @property
    def _geometry(self) -> str:
        return f"covers {self._seen}"


@dataclass(frozen=True)
class Squashed(Upright):
    """Preprocessing that warps the whole image to `resize` x `resize_height` pixels; the network sees the centre."""

    @property
    def _geometry(self) -> str:
        return f"warped to {self._seen}"


@dataclass(frozen=True)
class Letterboxed(Upright):
    """Preprocessing that fits the whole image into `resize` x `resize_height` pixels, with bars of the mean colour."""

    @property
    def _geometry(self) -> str:
        return f"fitted into {self._seen}, bars of the mean colour"


def _rounded(values: tuple[float, ...]) -> list[float]:
    return [round(value, 4) for value in values]


def _three(name: str, values: Any) -> tuple[float, ...]:
    """Return numbers of the three channels as floats, so that 0 and 0.0 are equal.

    Raises:
        BackboneError: They are not three finite numbers.
    """
    try:
        numbers = tuple(float(value) for value in values)
    except (TypeError, ValueError):
        numbers = ()
    if len(numbers) != 3 or not all(map(isfinite, numbers)):
        raise BackboneError(
            f"backbone.sees.{name} must be one number for each of red, green and blue, for values in 0..1, as in "
            f"'backbone.sees.{name}=[0.5,0.5,0.5]'; got {values!r}."
        )
    return numbers
