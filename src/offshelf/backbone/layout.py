"""The axes of a layer's output, found by comparing the same layer for images of twice the size.

Axes: N images, C channels, H and W space, T tokens. Axes that grow with the image are space (or tokens); the axis that
does not is the channels. Tokens whose number does not grow are not patches. Names are not used, and a network inside
another is read as it would be alone. If a network does not accept another size, its declarations count.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

    from offshelf.backbone.outline import Size

CLASS = re.compile(r"(cls|class)_?tokens?(_?\d+)?|class_emb\w*")
TOKEN = re.compile(rf"{CLASS.pattern}|(dist|reg|storage)\w*_tokens?(_?\d+)?")
"""Names of parameters that hold tokens preceding the patches."""
GROWTH = 2
"""Factor of the image size."""


@dataclass(frozen=True)
class Layout:
    """Axes of an output, numbered after the axis of images, which is at `images` and is moved to the front."""

    images: int = 0
    channels: int | None = None
    """Axis of the channels; None if unknown."""
    prefix: int = 0
    """Number of tokens before the patches."""
    has_class: bool = False
    """Whether the first of these tokens is a class token."""
    is_square: bool = True
    """Whether the images are square: a square number of patches then forms a square."""


@dataclass(frozen=True)
class Declared:
    """A module's declaration of the tokens before its patches."""

    prefix: int = 0
    has_class: bool = False


class Declarations:
    """Declarations of the tokens before the patches, by module of a network."""

    def __init__(self, module: "nn.Module") -> None:
        names = [name for name, _ in module.named_parameters()]
        self.tokens = [name for name in names if TOKEN.fullmatch(name.rpartition(".")[2])]
        self.counts: dict[str, tuple[Any, int]] = {}
        for path, part in module.named_modules():
            prefix, registers = (getattr(part, f"num_{kind}_tokens", None) for kind in ("prefix", "register"))
            if isinstance(prefix, int) or registers:
                self.counts[path] = prefix, registers or 0

    def at(self, path: str) -> Declared:
        """Return the declaration of the nearest enclosing module that has one."""
        while True:
            inside = [name for name in self.tokens if not path or name.startswith(f"{path}.")]
            has_class = any(CLASS.fullmatch(name.rpartition(".")[2]) for name in inside)
            prefix, registers = self.counts.get(path, (None, 0))
            if isinstance(prefix, int):
                return Declared(prefix, has_class and prefix > 0)
            if registers or inside:
                return Declared(int(has_class) + registers, has_class)
            if not path:
                return Declared()
            path = path.rpartition(".")[0]


def read_layout(shape: Sequence[int], grown: Sequence[int] | None, size: "Size", says: Declared) -> Layout:
    """Return the layout of an output from its shape per image, and from that at GROWTH times the image's size."""
    is_square = size[0] == size[1]
    if len(shape) < 2:
        return Layout(channels=0 if shape else None)
    changed = [axis for axis in range(len(shape)) if grown and shape[axis] != grown[axis]]
    if len(shape) == 2:
        return _read_tokens(shape, grown if changed else None, size, says, bool(grown))
    still = [axis for axis in range(len(shape)) if axis not in changed]
    if len(shape) == 3 and len(still) == 1:
        return Layout(channels=still[0], is_square=is_square)
    return Layout(channels=_deduced(shape) if len(shape) == 3 and is_square else None, is_square=is_square)


def is_plain(shape: Sequence[int], size: "Size") -> bool:
    """Return whether the shape suffices: for a square image two equal axes are space, and the third differs."""
    return len(shape) < 2 or (len(shape) == 3 and size[0] == size[1] and _deduced(shape) is not None)


def _deduced(shape: Sequence[int]) -> int | None:
    first, middle, last = shape
    if middle == last != first:
        return 0
    return 2 if first == middle != last != 1 else None


def _read_tokens(
    shape: Sequence[int], grown: Sequence[int] | None, size: "Size", says: Declared, is_known: bool
) -> Layout:
    is_square = size[0] == size[1]
    changed = [axis for axis in (0, 1) if grown and shape[axis] != grown[axis]]
    if not grown:
        if is_known or 1 in shape:  # the number of tokens does not depend on the image: none are patches
            has_class = says.has_class and shape[0] == says.prefix
            return Layout(0, 0 if shape[1] == 1 != shape[0] else 1, 0, has_class, is_square)
        fitting = _fitting((says.prefix, 0), shape[0], size)
        if fitting is None and _fitting((says.prefix, 0), shape[1], size) is not None:
            return Layout(channels=None, is_square=is_square)
        prefix = says.prefix if fitting is None else fitting
        return Layout(0, 1, prefix, says.has_class and prefix > 0, is_square)
    if len(changed) != 1:
        return Layout(channels=None, is_square=is_square)
    axis = changed[0]
    prefix = _prefix(shape[axis], grown[axis], size, says.prefix)
    return Layout(0, 1 - axis, prefix, says.has_class and prefix > 0, is_square)


def _prefix(tokens: int, grown: int, size: "Size", says: int) -> int:
    """Return the number of tokens that do not grow with the area of the image."""
    fixed, rest = divmod(GROWTH**2 * tokens - grown, GROWTH**2 - 1)
    if not rest and fixed >= 0 and _is_grid(tokens - fixed, size):
        return fixed
    larger = size[0] * GROWTH, size[1] * GROWTH  # sides that do not double exactly: the stride was rounded
    for prefix in (says, 0):
        if _is_grid(tokens - prefix, size) and _is_grid(grown - prefix, larger):
            return prefix
    return says


def _fitting(prefixes: Sequence[int], tokens: int, size: "Size") -> int | None:
    return next((prefix for prefix in prefixes if _is_grid(tokens - prefix, size)), None)


def _is_grid(patches: int, size: "Size") -> bool:
    """Return whether a number of patches can cover an image in rows and columns of equal spacing."""
    height, width = size
    if patches <= 0 or patches * height % width:
        return False
    rows = isqrt(patches * height // width)
    return rows * rows * width == patches * height
