"""Views: the geometry of an image's presentation, as data with an identity."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Literal

import numpy as np

from offshelf.augmentation.enclose import enclose, grow
from offshelf.augmentation.resize import Pixels, resize
from offshelf.augmentation.rotate import FILLS, Colour, Fill, rotate
from offshelf.augmentation.training_geometry import published
from offshelf.backbone.preprocessing import Preprocessing, Upright
from offshelf.errors import ConfigError
from offshelf.suggest import did_you_mean

RelativeBox = tuple[float, float, float, float]

FitMode = Literal["center", "square", "whole", "enclosing"]
FITS = ("center", "square", "whole", "enclosing")

LONGEST = 16
"""Largest ratio of an image's sides for `center`; longer images are cut to it about the centre before enlarging. The
network sees the middle in either case, and the rest of a strip of 30,000 x 2 pixels would need 3 GB."""

LARGEST_SCALE = 8
"""Largest scale; 8 times the side takes 64 times the memory of a pass."""


@dataclass(frozen=True)
class View:
    """A view: a sub-window that is rotated, fitted to the network's square, and mirrored, in this order.

    Views that show the same are equal: angles count modulo 360, and fields without effect are reset.

    Raises:
        ConfigError: A field is invalid.
    """

    box: RelativeBox = (0.0, 0.0, 1.0, 1.0)
    """Sub-window x1, y1, x2, y2 as fractions of the image's width and height."""
    fit: FitMode = "center"
    """`center`: as the network was published, mostly shorter side to `resize`, centre square of `crop`. `square`: the
    largest centre square, to `crop`. `whole`: warped to `crop` x `crop`. `enclosing`: the smallest square around the
    sub-window, to `crop`; it includes the surroundings of the sub-window, and `fill` where the image is shorter than
    the square. For a network whose input is not square, its height and width replace the square."""
    mirror: bool = False
    """Whether left and right are exchanged, after everything else."""
    angle: float = 0.0
    """Rotation of the sub-window about its centre, in degrees, counter-clockwise."""
    fill: Fill = "reflect"
    """Filling beyond the sub-window's borders of a rotated view that is not `inscribed`, and beyond the image's of an
    `enclosing` one. `reflect` and `edge` continue the image, so that no edge appears to which the network might
    respond; `black` is 0, `mean` the mean colour of the network's normalisation, which is 0 after it."""
    inscribed: bool = True
    """Whether a rotated view keeps the largest rectangle of the same aspect ratio inside the sub-window: nothing is
    invented, and the border is lost (10 degrees keep 0.82 of the sides of a 4:3 photograph)."""

    scale: float = 1.0
    """Side of the square, as a multiple of the side that the network was trained on."""

    def __post_init__(self) -> None:
        """Check and normalise the fields."""
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
                raise ConfigError(f"A view's {name} must be true or false; got {getattr(self, name)!r}.")
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
        """Whether it may show pixels from outside the image."""
        return self.fit == "enclosing" or not self.inscribed

    def apply(self, pixels: Pixels, preprocessing: Preprocessing) -> Pixels:
        """Return the view's pixels: uint8 [S, S, 3] of an image uint8 [H, W, 3], both arrays or both tensors.

        S is `crop` times the scale; for a network whose input is not square it is its height and width. A tensor's view
        is made on its device, except for rotation, and has the same pixels.
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
    """Return the pixels of each view, see View.apply; a mirrored view is its counterpart flipped, not made again."""
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
            "A view's box must be [x1, y1, x2, y2], fractions of the image's width and height from 0 to 1, "
            f"x1 < x2 and y1 < y2; got {box}."
        )
    return x1, y1, x2, y2


def _checked_angle(angle: float) -> float:
    """Return the angle above -180 and at most 180."""
    if isinstance(angle, bool) or not isinstance(angle, int | float) or not math.isfinite(angle):
        raise ConfigError(f"A view's angle must be a number of degrees; got {angle!r}.")
    turn = math.remainder(angle, 360)
    return abs(turn) if turn in (-180, 0) else turn


def _checked_scale(scale: float) -> float:
    if isinstance(scale, bool) or not isinstance(scale, int | float) or not 0 < scale <= LARGEST_SCALE:
        raise ConfigError(f"A view's scale must be a number above 0 and at most {LARGEST_SCALE}; got {scale!r}.")
    return float(scale)


def _mean_colour(preprocessing: Preprocessing) -> Colour:
    red, green, blue = (round(255 * level) for level in preprocessing.mean)
    return red, green, blue


def _mirrored(pixels: Pixels) -> Pixels:
    return pixels[:, ::-1] if isinstance(pixels, np.ndarray) else pixels.flip(1)


def _center(pixels: Pixels, to: Preprocessing) -> Pixels:
    if isinstance(to, Upright):
        return published(pixels, to, _mean_colour(to))
    # Rounding as in torchvision's Resize and CenterCrop, so that published accuracies hold.
    pixels = _shortened(pixels)
    height, width = pixels.shape[:2]
    scaled = max(1, int(to.resize * max(width, height) / min(width, height)))
    width, height = (to.resize, scaled) if width <= height else (scaled, to.resize)
    left, top = round((width - to.crop) / 2), round((height - to.crop) / 2)
    resized = resize(pixels, width, height, to.interpolation)
    if left >= 0 and top >= 0:
        return resized[top : top + to.crop, left : left + to.crop]
    canvas = _black(resized, to.crop)  # for a crop larger than the image
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
