"""Pooling of a layer's output to one vector per image.

Axes: N images, C channels, H and W space, T tokens.
"""

from math import isqrt
from typing import TYPE_CHECKING, Literal

from offshelf.backbone.layout import Layout
from offshelf.errors import BackboneError

if TYPE_CHECKING:
    import torch

Pooling = Literal["auto", "avg", "max", "gem", "rmac", "cls", "flatten"]
POOLINGS = ("auto", "avg", "max", "gem", "rmac", "cls", "flatten")

GEM_POWER = 3
"""Power without learning (Radenović et al., TPAMI 2018)."""
GEM_LEAST = 1e-6
"""Lower bound of values: smaller ones, also negative ones, are clamped."""
RMAC_LEVELS = 3
"""Number of levels (Tolias et al., ICLR 2016)."""


def pool(output: "torch.Tensor", pooling: str, layout: "Layout") -> "torch.Tensor":
    """Pool an output to one float32 vector per image, [N, D], in memory of its own.

    Maps [N, C, H, W], or [N, H, W, C] as in Swin, are averaged (`avg`, `auto`) or maximised (`max`) over space, or
    pooled by the cube root of the mean cube (`gem`). `rmac` is the sum over 1 + 4 + 9 square regions of their maxima,
    each normalised to unit length. Of tokens [N, T, C] `auto` takes the class token if there is one, else the average.
    `avg`, `max`, `gem` and `rmac` pool the patch tokens, without those before them (class, distillation, registers).
    Vectors are unchanged. The `layout` identifies the axes.

    Raises:
        BackboneError: The pooling does not fit the output.
    """
    if pooling not in POOLINGS:
        raise BackboneError(f"pooling must be one of {', '.join(POOLINGS)}; got '{pooling}'.")
    if output.ndim <= 2 or pooling == "flatten":
        vector = output.flatten(1) if output.ndim > 1 else output[:, None]
    elif layout.channels is None:
        raise BackboneError(
            f"The channels of an output of shape {tuple(output.shape[1:])} cannot be identified at this layer; use"
            " pooling=flatten, or the layer before or after it."
        )
    else:
        values = output.movedim(layout.channels + 1, 1)
        vector = (
            _pool_tokens(values, pooling, layout) if output.ndim == 3 else _pool_map(_map(values, pooling), pooling)
        )
    return vector.detach().float().clone()


def _map(values: "torch.Tensor", pooling: str) -> "torch.Tensor":
    if pooling == "cls":
        raise BackboneError(f"pooling=cls does not fit a map of shape {tuple(values.shape[1:])}; use pooling=avg.")
    return values


def _pool_tokens(tokens: "torch.Tensor", pooling: str, layout: Layout) -> "torch.Tensor":
    """Pool [N, C, T] to [N, C]."""
    if pooling == "cls" or (pooling == "auto" and layout.has_class):
        if not layout.has_class:
            raise BackboneError("pooling=cls, but there is no class token at this layer; use pooling=avg.")
        return tokens[:, :, 0]
    patches = tokens[:, :, layout.prefix :]
    if pooling == "rmac":
        if not (layout.is_square and _is_square(patches.shape[2])):
            raise BackboneError(f"pooling=rmac needs patch tokens in a square; {patches.shape[2]} do not form one.")
        patches = patches.unflatten(2, (isqrt(patches.shape[2]), -1))
    return _pool_map(patches, pooling)


def _pool_map(values: "torch.Tensor", pooling: str) -> "torch.Tensor":
    """Pool [N, C, H, W] or [N, C, T] to [N, C]."""
    space = tuple(range(2, values.ndim))
    if pooling == "max":
        return values.amax(space)
    if pooling == "gem":
        cubes = values.float().clamp(min=GEM_LEAST) ** GEM_POWER
        return cubes.mean(space) ** (1 / GEM_POWER)
    return _rmac(values.float()) if pooling == "rmac" else values.float().mean(space)


def _rmac(maps: "torch.Tensor") -> "torch.Tensor":
    """Return regional maximum activations of square maps (Tolias et al., ICLR 2016, section 4), without whitening.

    At level l there are l x l regions of side 2 S / (l + 1), rounded down, evenly spaced from border to border.
    """
    from torch.nn.functional import normalize

    size = maps.shape[3]
    if maps.shape[2] != size:
        raise BackboneError(f"pooling=rmac needs square maps; these are {maps.shape[2]} x {size}.")
    regions = []
    for level in range(1, RMAC_LEVELS + 1):
        side = max(1, 2 * size // (level + 1))
        starts = [number * (size - side) // max(1, level - 1) for number in range(level)]
        regions += [maps[..., top : top + side, left : left + side].amax((2, 3)) for top in starts for left in starts]
    total: torch.Tensor = sum(normalize(region, dim=1) for region in regions)  # type: ignore[assignment]
    return total


def _is_square(number: int) -> bool:
    return number >= 0 and isqrt(number) ** 2 == number
