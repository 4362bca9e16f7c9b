"""Views: the geometry an image is seen through, as data with an identity."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal

import numpy as np

from offshelf.augmentation.enclose import enclose, grow
from offshelf.augmentation.published import published
from offshelf.augmentation.resize import Pixels, resize
from offshelf.augmentation.rotate import FILLS, Colour, Fill, rotate
from offshelf.backbone.preprocessing import Preprocessing, Upright
from offshelf.errors import ConfigError
from offshelf.suggest import did_you_mean

RelativeBox = tuple[float, float, float, float]

FitMode = Literal["center", "square", "whole", "enclosing"]
FITS = ("center", "square", "whole", "enclosing")

LONGEST = 16
"""Sides of an image beyond 16 to 1 are cut to that about the centre before `center` enlarges them: of a strip of
30,000 x 2 pixels a network sees the middle either way, and 256 pixels for 2 would need 3 GB for the rest."""

LARGEST_SCALE = 8
"""Side 8 times: 64 times the memory of a pass."""


@dataclass(frozen=True)
class View:
    """One way to look at an image: a sub-window, turned, made the square a network sees, and mirrored, in this order.

    Views that show the same are equal: angles count modulo 360, and what another field makes void is reset.

    Raises:
        ConfigError: a field that does not fit.
    """

    box: RelativeBox = (0.0, 0.0, 1.0, 1.0)
    """Sub-window x1, y1, x2, y2 as fractions of the image's width and height."""
    fit: FitMode = "center"
    """`center`: as the network was published, mostly shorter side to `resize`, centre square of `crop`. `square`: the
    largest centre square, to `crop`. `whole`: warped to `crop` x `crop`. `enclosing`: the smallest square around the
    sub-window, to `crop`; it shows what lies beside the sub-window, and `fill` where the image is shorter than the
    square. Where what a network sees is no square, its height and width take the square's place."""
    mirror: bool = False
    """Left and right exchanged, after all else."""
    angle: float = 0.0
    """Rotation of the sub-window about its centre, in degrees, counter-clockwise."""
    fill: Fill = "reflect"
    """What a rotated view that is not `inscribed` shows beyond the sub-window's borders, and an `enclosing` one beyond
    the image's: `reflect` and `edge` continue the picture, so that no edge appears that the network might respond to;
    `black` is 0, `mean` the mean colour of the network's normalisation, which is 0 after it."""
    inscribed: bool = True
    """Whether a rotated view keeps the largest rectangle of the same aspect ratio that lies inside the sub-window:
    nothing is invented, and the border is lost (10 degrees keep 0.82 of the sides of a 4:3 photograph)."""

    scale: float = 1.0
    """Side of the square, as a multiple of the side that the network was trained on: other sizes, other details."""

    def __post_init__(self) -> None:
        """Check the fields, and bring them into one form."""
        set_field = object.__setattr__
        set_field(self, "box", _checked_box(self.box))
        set_field(self, "angle", _checked_angle(self.angle))
        set_field(self, "scale", _checked_scale(self.scale))
        for name, known in (("fit", FITS), ("fill", FILLS)):
            word = getattr(self, name)
            if word not in known:
                raise ConfigError(f"A view's {name} cannot be '{word}'{did_you_mean(str(word), known)}")
        for name in ("mirror", "inscribed"):
            if not isinstance(getattr(self, name), bool):
                raise ConfigError(f"A view's {name} is true or false; got {getattr(self, name)!r}.")
        if self.angle == 0:
            set_field(self, "inscribed", View.inscribed)
        if not self._is_filled:
            set_field(self, "fill", View.fill)

    def __str__(self) -> str:
        window = "" if self.box == View.box else "[" + " ".join(f"{edge:.3g}" for edge in self.box) + "] "
        turned = f" rotated {self.angle:g}°" if self.angle else ""
        filled = f" {self.fill}" if self._is_filled else ""
        framed = " framed" if self.fit == "enclosing" and not self.inscribed else ""
        sized = f" x {self.scale:.3g}" if self.scale != 1 else ""
        return f"{window}{self.fit}{turned}{framed}{filled}{' mirrored' * self.mirror}{sized}"

    @property
    def _is_filled(self) -> bool:
        """Whether it may show what is no part of the image."""
        return self.fit == "enclosing" or not self.inscribed

    def apply(self, pixels: Pixels, preprocessing: Preprocessing) -> Pixels:
        """The view's pixels: uint8 [S, S, 3] from an image uint8 [H, W, 3], both arrays or both tensors.

        S is `crop` times the scale; of a network that sees no squares it is its height and width. A tensor's view is
        made on its device, save for rotation, and has the same pixels.
        """
        preprocessing = preprocessing.scaled(self.scale)
        window = self._window(pixels)
        if self.angle:
            window = self._rotated(window, preprocessing)
        if self.fit == "enclosing":
            to = preprocessing
            seen = enclose(window, to.size, to.interpolation, self.fill, _mean_colour(to))
        else:
            seen = _FIT[self.fit](window, preprocessing)
        return _mirrored(seen) if self.mirror else seen

    def _window(self, pixels: Pixels) -> Pixels:
        if self.box == (0.0, 0.0, 1.0, 1.0):
            return pixels
        height, width = pixels.shape[:2]
        x1, y1, x2, y2 = self.box
        left, top = min(round(x1 * width), width - 1), min(round(y1 * height), height - 1)
        right, bottom = max(round(x2 * width), left + 1), max(round(y2 * height), top + 1)
        if self.fit == "enclosing":
            left, top, right, bottom = grow((left, top, right, bottom), width, height)
        return pixels[top:bottom, left:right]

    def _rotated(self, pixels: Pixels, preprocessing: Preprocessing) -> Pixels:
        window = pixels if self.inscribed else _shortened(pixels)
        return rotate(window, self.angle, self.inscribed, self.fill, _mean_colour(preprocessing))


VIEW_FIELDS = tuple(field.name for field in fields(View))


def look(pixels: Pixels, views: Sequence[View], preprocessing: Preprocessing) -> list[Pixels]:
    """What each view shows of an image, see View.apply; a mirrored view is its counterpart flipped, not made again."""
    upright = {view: replace(view, mirror=False) for view in views}
    made = {view: view.apply(pixels, preprocessing) for view in dict.fromkeys(upright.values())}
    return [_mirrored(made[upright[view]]) if view.mirror else made[upright[view]] for view in views]


def _checked_box(box: Sequence[float]) -> RelativeBox:
    try:
        x1, y1, x2, y2 = (float(edge) for edge in box)
    except (TypeError, ValueError):
        x1, y1, x2, y2 = (math.nan,) * 4
    if not (0 <= x1 < x2 <= 1 and 0 <= y1 < y2 <= 1):
        raise ConfigError(
            "A view's box is [x1, y1, x2, y2], fractions of the image's width and height from 0 to 1, "
            f"x1 < x2 and y1 < y2; got {box}."
        )
    return x1, y1, x2, y2


def _checked_angle(angle: float) -> float:
    """Above -180, at most 180."""
    if isinstance(angle, bool) or not isinstance(angle, int | float) or not math.isfinite(angle):
        raise ConfigError(f"A view's angle is a number of degrees; got {angle!r}.")
    turn = math.remainder(angle, 360)
    return abs(turn) if turn in (-180, 0) else turn


def _checked_scale(scale: float) -> float:
    if isinstance(scale, bool) or not isinstance(scale, int | float) or not 0 < scale <= LARGEST_SCALE:
        raise ConfigError(f"A view's scale is a number above 0 and at most {LARGEST_SCALE}; got {scale!r}.")
    return float(scale)


def _mean_colour(preprocessing: Preprocessing) -> Colour:
    red, green, blue = (round(255 * level) for level in preprocessing.mean)
    return red, green, blue


def _mirrored(pixels: Pixels) -> Pixels:
    return pixels[:, ::-1] if isinstance(pixels, np.ndarray) else pixels.flip(1)


def _center(pixels: Pixels, to: Preprocessing) -> Pixels:
    if isinstance(to, Upright):
        return published(pixels, to, _mean_colour(to))
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


def _black(like: Pixels, side: int) -> Pixels:
    return np.zeros((side, side, 3), np.uint8) if isinstance(like, np.ndarray) else like.new_zeros((side, side, 3))


def _shortened(pixels: Pixels) -> Pixels:
    height, width = pixels.shape[:2]
    tallest, widest = LONGEST * width, LONGEST * height
    top, left = max(0, (height - tallest) // 2), max(0, (width - widest) // 2)
    return pixels[top : top + tallest, left : left + widest]


def _whole(pixels: Pixels, to: Preprocessing) -> Pixels:
    high, wide = to.size
    return resize(pixels, wide, high, to.interpolation)


def _square(pixels: Pixels, to: Preprocessing) -> Pixels:
    height, width = pixels.shape[:2]
    high, wide = to.size
    tall, broad = min(height, max(1, width * high // wide)), min(width, max(1, height * wide // high))
    top, left = (height - tall) // 2, (width - broad) // 2
    return _whole(pixels[top : top + tall, left : left + broad], to)


_FIT = {"center": _center, "square": _square, "whole": _whole}
