"""Lists of views."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from offshelf.augmentation.rotate import Fill
from offshelf.augmentation.view import VIEW_FIELDS, FitMode, View
from offshelf.errors import ConfigError
from offshelf.suggest import did_you_mean


class Augmentation(Protocol):
    """The views of each image, the plainest first."""

    @property
    def views(self) -> tuple[View, ...]:
        """At least one view, without repeats."""

    @property
    def query_views(self) -> tuple[View, ...]:
        """Views of a query image, unless others are set."""


@dataclass(frozen=True)
class Views:
    """A list of views, each stored once and shared by every list that contains it."""

    views: tuple[View, ...]

    def __init__(self, views: Sequence[View | dict[str, Any]]) -> None:
        """Take views as objects or as mappings of their fields, as in YAML."""
        made = tuple(view if isinstance(view, View) else _view(view) for view in views)
        if not made:
            raise ConfigError("An augmentation needs at least one view.")
        if len(set(made)) < len(made):
            raise ConfigError("An augmentation contains the same view twice; leave each in once.")
        object.__setattr__(self, "views", made)

    @property
    def query_views(self) -> tuple[View, ...]:
        """The same views."""
        return self.views


def center() -> Views:
    """Return the whole image's centre square, as the network's authors evaluate."""
    return Views([View()])


def whole() -> Views:
    """Return the whole image warped to the network's square input, without its aspect ratio (2014 paper, section 3)."""
    return Views([View(fit="whole")])


def square() -> Views:
    """Return the largest centre square: nothing is warped, and the ends of the longer side are lost."""
    return Views([View(fit="square")])


def mirror(fit: FitMode = "center") -> Views:
    """Return the image and its mirror image."""
    return Views(_mirrored([View(fit=fit)]))


def five_crop(side: float = 2 / 3, fit: FitMode = "whole") -> Views:
    """Return four corners and the centre, each `side` of the width and of the height (2/3: 4/9 of the area)."""
    return Views(_crops(side, fit))


def ten_crop(side: float = 2 / 3, fit: FitMode = "whole") -> Views:
    """Return `five_crop` and its mirror images."""
    return Views(_mirrored(_crops(side, fit)))


def jitter8(
    side: float = 2 / 3, angle: float = 10.0, fill: Fill = "reflect", inscribed: bool = True, fit: FitMode = "whole"
) -> Views:
    """Return the image, five crops of 4/9 of its area and two rotations, without mirror images.

    Eight views explain the footprint of the 2014 paper's retrieval (4,000 floats of 500 dimensions, table 7).
    """
    rotations = [View(fit=fit, angle=each, fill=fill, inscribed=inscribed) for each in (angle, -angle)]
    return Views([View(fit=fit), *_crops(side, fit), *rotations])


def jitter16(
    side: float = 2 / 3, angle: float = 10.0, fill: Fill = "reflect", inscribed: bool = True, fit: FitMode = "whole"
) -> Views:
    """Return `jitter8` and its mirror images: the 2014 paper's augmentation, section 3.

    Args:
        side: Side of a crop, as a fraction of the width and of the height.
        angle: Rotations are by plus and minus this number of degrees. The paper does not give it. For a 4:3 photograph,
            10 leaves more in the inscribed rectangle than a crop shows.
        fill: As for View, with an effect only if `inscribed` is False; the paper does not give it.
        inscribed: As for View; the paper does not give it.
        fit: Conversion of each view to the network's square. The paper warps.
    """
    return Views(_mirrored(list(jitter8(side, angle, fill, inscribed, fit).views)))


def multi_scale(scales: Sequence[float] = (1.0, 2**0.5, 0.5**0.5), fit: FitMode = "whole") -> Views:
    """Return the image at several sizes of the network's input, as is usual for retrieval today.

    Args:
        scales: As for View; the default is that of Radenović, Tolias and Chum's code (TPAMI 2019).
        fit: As for View.
    """
    return Views([View(fit=fit, scale=scale) for scale in scales])


def _crops(side: float, fit: FitMode) -> list[View]:
    if not 0 < side <= 1:
        raise ConfigError(f"A crop's side must be a fraction of the image's, above 0 and at most 1; got {side}.")
    rest = 1 - side
    corners = [(0.0, 0.0), (rest, 0.0), (0.0, rest), (rest, rest), (rest / 2, rest / 2)]
    return [View(box=(x, y, min(x + side, 1.0), min(y + side, 1.0)), fit=fit) for x, y in corners]


def _mirrored(views: list[View]) -> list[View]:
    return views + [replace(view, mirror=True) for view in views]


def _view(fields: Any) -> View:
    if not isinstance(fields, dict):
        raise ConfigError(f"A view must be a mapping of fields, such as {{fit: whole, mirror: true}}; got {fields!r}.")
    for name in map(str, fields):
        if name not in VIEW_FIELDS:
            raise ConfigError(f"A view has no field '{name}'{did_you_mean(name, VIEW_FIELDS)}")
    return View(**fields)
