"""Detection of networks whose outputs are read differently since layouts are deduced: their features have changed.

Outputs were once interpreted by their shape, and tokens before the patches by the declaration of the outermost module.
If both interpretations agree, features and their identity stay the same.
"""

from collections.abc import Callable
from math import isqrt

from torch import nn

from offshelf.backbone.layout import Layout
from offshelf.backbone.outline import Size, outline
from offshelf.backbone.probe import Build, Shape, layouts, survey
from offshelf.backbone.tap import find_place, places

CLASS = ("cls_token", "class_token", "class_embedding")


def is_reread(build: Callable[[], nn.Module], size: Size, resized: Build) -> bool:
    """Return whether the layout of any module's output, for images of a height and width, has changed."""
    module = outline(build)
    module.eval()
    try:
        rows = survey(module, size)
    except Exception:  # an operation that needs values, not shapes alone: unknown
        return True
    known = places(module)
    wanted = {path: place for path in rows if (place := find_place(module, known, path)) and place.number is None}
    shapes = {path: rows[path] for path in wanted}
    names = {name.rpartition(".")[2] for name, _ in module.named_parameters()}
    has_class = not names.isdisjoint(CLASS)
    prefix = getattr(module, "num_prefix_tokens", None)
    if not isinstance(prefix, int):
        prefix = int(has_class) + (getattr(module, "num_register_tokens", None) or 0)
    found = layouts(module, wanted, shapes, size, resized)
    told = {path: layout for path, layout in found.items() if layout.channels is not None}  # others are rejected
    return any(_once(shapes[path], prefix, has_class) not in (None, layout) for path, layout in told.items())


def _once(shape: Shape, prefix: int, has_class: bool) -> Layout | None:
    if len(shape) < 2 or 1 in shape[:2]:
        return None
    if len(shape) == 3:
        return Layout(channels=0 if shape[1] == shape[2] or shape[0] != shape[1] else 2)
    if _is_square(shape[0]) and not _is_square(shape[0] - prefix):
        return Layout(channels=1)
    return Layout(channels=1, prefix=prefix, has_class=has_class and prefix > 0)


def _is_square(number: int) -> bool:
    return number >= 0 and isqrt(number) ** 2 == number
