"""From pixels to a network's input: the geometry and normalisation a backbone was trained with."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from math import isfinite
from typing import Any, Literal, get_args

from offshelf.errors import BackboneError
from offshelf.spelling import did_you_mean

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

    def __post_init__(self) -> None:
        for name in ("resize", "crop"):
            length = getattr(self, name)
            if isinstance(length, bool) or not isinstance(length, int) or length < 1:
                raise BackboneError(f"backbone.sees.{name} is a number of pixels from 1 on; got {length!r}.")
        if self.interpolation not in get_args(Interpolation):
            known = ", ".join(get_args(Interpolation))
            raise BackboneError(f"backbone.sees.interpolation is one of {known}; got '{self.interpolation}'.")
        for name in ("mean", "std"):
            object.__setattr__(self, name, _three(name, getattr(self, name)))
        if not all(self.std):
            raise BackboneError(f"backbone.sees.std divides, and may not be 0; got {list(self.std)}.")

    @staticmethod
    def of(given: "Preprocessing | Mapping[str, Any] | None") -> "Preprocessing":
        """What a config gives: itself, or some of its fields by name.

        Raises:
            BackboneError: there is no such field, or a value does not fit.
        """
        if isinstance(given, Preprocessing):
            return given
        known = [field.name for field in fields(Preprocessing)]
        for name in given or {}:
            if name not in known:
                raise BackboneError(f"backbone.sees has no key '{name}'{did_you_mean(str(name), known)}")
        return Preprocessing(**given or {})

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


def _three(name: str, values: Any) -> tuple[float, ...]:
    """Numbers of the three channels, as floats, so that 0 and 0.0 are one.

    Raises:
        BackboneError: they are not three finite numbers.
    """
    try:
        numbers = tuple(float(value) for value in values)
    except (TypeError, ValueError):
        numbers = ()
    if len(numbers) != 3 or not all(map(isfinite, numbers)):
        raise BackboneError(
            f"backbone.sees.{name} has a number for each of red, green and blue, of values in 0..1, as in "
            f"'backbone.sees.{name}=[0.5,0.5,0.5]'; got {values!r}."
        )
    return numbers
