"""How a layer's output becomes one vector an image.

Axes: N images, C channels, H and W space, T tokens.
"""

from math import isqrt
from typing import TYPE_CHECKING, Literal

from offshelf.errors import BackboneError

if TYPE_CHECKING:
    import torch

Pooling = Literal["auto", "avg", "max", "cls", "flatten"]
POOLINGS = ("auto", "avg", "max", "cls", "flatten")


def pool(output: "torch.Tensor", pooling: str, prefix: int, class_token: bool) -> "torch.Tensor":
    """One float32 vector an image, [N, D], in memory of its own.

    Maps [N, C, H, W], or [N, H, W, C] as in Swin (images are square, so the two equal axes are space), are averaged or
    maximised over space. Of tokens [N, T, C] `auto` takes the class token where there is one, and else averages;
    `avg` and `max` go over the patch tokens, without the `prefix` of class and register tokens. Vectors stay.

    Raises:
        BackboneError: the pooling does not fit the output.
    """
    if pooling not in POOLINGS:
        raise BackboneError(f"pooling is one of {', '.join(POOLINGS)}; got '{pooling}'.")
    if output.ndim <= 2 or pooling == "flatten":
        vector = output.flatten(1) if output.ndim > 1 else output[:, None]
    elif output.ndim == 3:
        vector = _pool_tokens(output, pooling, prefix, class_token)
    elif output.ndim == 4 and pooling != "cls":
        space = (2, 3) if output.shape[2] == output.shape[3] or output.shape[1] != output.shape[2] else (1, 2)
        vector = output.amax(space) if pooling == "max" else output.float().mean(space)
    else:
        raise BackboneError(f"pooling={pooling} does not fit an output of shape {tuple(output.shape[1:])}.")
    return vector.detach().float().clone()


def _pool_tokens(output: "torch.Tensor", pooling: str, prefix: int, class_token: bool) -> "torch.Tensor":
    if _is_square(output.shape[1]) and not _is_square(output.shape[1] - prefix):
        prefix, class_token = 0, False  # before the class token is put in front of the patches
    if pooling == "cls" or (pooling == "auto" and class_token):
        if not class_token:
            raise BackboneError("pooling=cls, but there is no class token at this layer; use pooling=avg.")
        return output[:, 0]
    patches = output[:, prefix:]
    return patches.amax(1) if pooling == "max" else patches.float().mean(1)


def _is_square(number: int) -> bool:
    return number >= 0 and isqrt(number) ** 2 == number
