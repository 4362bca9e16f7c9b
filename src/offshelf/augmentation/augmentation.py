"""Lists of views."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from offshelf.augmentation.rotate import Fill
from offshelf.augmentation.view import VIEW_FIELDS, FitMode, View
from offshelf.errors import ConfigError
from offshelf.suggest import did_you_mean


class Augmentation(Protocol):
    """The views each image is seen through, the plainest first."""

    @property
    def views(self) -> tuple[View, ...]:
        """At least one view, none twice."""

    @property
    def query_views(self) -> tuple[View, ...]:
        """Those of an image that is searched for, where nothing else is asked for."""


@dataclass(frozen=True)
class Views:
    """A list of views, each stored once and shared by every list that holds it."""

    views: tuple[View, ...]

    def __init__(self, views: Sequence[View | dict[str, Any]]) -> None:
        """Accept views as objects or as mappings of their fields, as YAML gives them."""
        made = tuple(view if isinstance(view, View) else _view(view) for view in views)
        if not made:
            raise ConfigError("An augmentation needs at least one view.")
        if len(set(made)) < len(made):
            raise ConfigError("An augmentation holds the same view twice; leave each in once.")
        object.__setattr__(self, "views", made)

    @property
    def query_views(self) -> tuple[View, ...]:
        """The same."""
        return self.views


def center() -> Views:
    """The whole image's centre square, as the network's authors evaluate."""
    return Views([View()])


def whole() -> Views:
    """The whole image warped to the network's square input, aspect ratio not kept (the 2014 paper, section 3)."""
    return Views([View(fit="whole")])


def square() -> Views:
    """The largest centre square, all of it: nothing is warped, and the ends of the longer side are lost."""
    return Views([View(fit="square")])


def mirror(fit: FitMode = "center") -> Views:
    """The image and its mirror image."""
    return Views(_mirrored([View(fit=fit)]))


def five_crop(side: float = 2 / 3, fit: FitMode = "whole") -> Views:
    """Four corners and the centre, each `side` of the width and of the height (2/3: 4/9 of the area)."""
    return Views(_crops(side, fit))


def ten_crop(side: float = 2 / 3, fit: FitMode = "whole") -> Views:
    """`five_crop` and its mirror images."""
    return Views(_mirrored(_crops(side, fit)))


def jitter8(
    side: float = 2 / 3, angle: float = 10.0, fill: Fill = "reflect", inscribed: bool = True, fit: FitMode = "whole"
) -> Views:
    """The image, five crops of 4/9 of its area and two rotations, without mirror images.

    Eight are what the footprint of the 2014 paper's retrieval (4,000 floats of 500 dimensions, table 7) amounts to.
    """
    rotations = [View(fit=fit, angle=each, fill=fill, inscribed=inscribed) for each in (angle, -angle)]
    return Views([View(fit=fit), *_crops(side, fit), *rotations])


def jitter16(
    side: float = 2 / 3, angle: float = 10.0, fill: Fill = "reflect", inscribed: bool = True, fit: FitMode = "whole"
) -> Views:
    """`jitter8` and its mirror images: the 2014 paper's augmentation, section 3.

    Args:
        side: Of a crop, as a fraction of the width and of the height.
        angle: Rotations are by plus and minus so many degrees. The paper does not say how many: 10 leaves, of a 4:3
            photograph, more in the inscribed rectangle than a crop shows.
        fill: See View; the paper does not say. It shows where `inscribed` is False only.
        inscribed: See View; the paper does not say.
        fit: How each view becomes the network's square. The paper warps.
    """
    return Views(_mirrored(list(jitter8(side, angle, fill, inscribed, fit).views)))


def multi_scale(scales: Sequence[float] = (1.0, 2**0.5, 0.5**0.5), fit: FitMode = "whole") -> Views:
    """The image at several sizes of the network's input, as retrieval describes images today.

    Args:
        scales: See View; the default is what Radenović, Tolias and Chum (TPAMI 2019) evaluate with in their code.
        fit: See View.
    """
    return Views([View(fit=fit, scale=scale) for scale in scales])


def _crops(side: float, fit: FitMode) -> list[View]:
    if not 0 < side <= 1:
        raise ConfigError(f"A crop's side is a fraction of the image's, above 0 and at most 1; got {side}.")
    rest = 1 - side
    corners = [(0.0, 0.0), (rest, 0.0), (0.0, rest), (rest, rest), (rest / 2, rest / 2)]
    return [View(box=(x, y, min(x + side, 1.0), min(y + side, 1.0)), fit=fit) for x, y in corners]


def _mirrored(views: list[View]) -> list[View]:
    return views + [replace(view, mirror=True) for view in views]


def _view(fields: Any) -> View:
    if not isinstance(fields, dict):
        raise ConfigError(f"A view is a mapping of its fields, such as {{fit: whole, mirror: true}}; got {fields!r}.")
    for name in map(str, fields):
        if name not in VIEW_FIELDS:
            raise ConfigError(f"A view has no field '{name}'{did_you_mean(name, VIEW_FIELDS)}")
    return View(**fields)
