"""Lists of views."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from offshelf.augmentation.view import View
from offshelf.errors import ConfigError


class Augmentation(Protocol):
    """The views each image is seen through, the plainest first."""

    @property
    def views(self) -> tuple[View, ...]:
        """At least one view, none twice."""


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


def center() -> Views:
    """The whole image's centre square, as the network's authors evaluate."""
    return Views([View()])


def whole() -> Views:
    """The whole image warped to the network's square input, aspect ratio not kept (the 2014 paper, section 3)."""
    return Views([View(fit="whole")])


def mirror() -> Views:
    """The centre square and its mirror image."""
    return Views(_mirrored([View()]))


def five_crop(side: float = 2 / 3) -> Views:
    """Four corners and the centre, each `side` of the width and of the height (2/3: 4/9 of the area), warped."""
    return Views(_crops(side))


def ten_crop(side: float = 2 / 3) -> Views:
    """`five_crop` and its mirror images."""
    return Views(_mirrored(_crops(side)))


def _crops(side: float) -> list[View]:
    if not 0 < side <= 1:
        raise ConfigError(f"A crop's side is a fraction of the image's, above 0 and at most 1; got {side}.")
    rest = 1 - side
    corners = [(0.0, 0.0), (rest, 0.0), (0.0, rest), (rest, rest), (rest / 2, rest / 2)]
    return [View(box=(x, y, x + side, y + side), fit="whole") for x, y in corners]


def _mirrored(views: list[View]) -> list[View]:
    return views + [replace(view, mirror=True) for view in views]


def _view(fields: dict[str, Any]) -> View:
    try:
        return View(**{**fields, "box": tuple(fields.get("box", View.box))})
    except TypeError as error:
        raise ConfigError(f"A view has the fields box, fit and mirror; got {fields}.") from error
