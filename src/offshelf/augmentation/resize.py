"""Resizing with antialiasing: along the rows, then along the columns, each a weighted sum in fixed point.

The definition is this package's own (`device.fixed_point`, and `exact` below), independent of library releases. It
equals Pillow's before 13.0.0, which changed the order for tall images, and so the preprocessing of published networks.
PyTorch's uint8 kernel computes it several times faster; it is used once a probe, made once per process, is equal.
"""

import logging
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from offshelf.backbone.preprocessing import Interpolation

if TYPE_CHECKING:
    import torch

log = logging.getLogger(__name__)

IN_TORCH = ("bilinear", "bicubic")

PROBES = ((20, 31), (150, 90), (64, 12))
"""Width and height to which an image of 61 x 83 is resized: smaller, larger, and one of each."""

Pixels = TypeVar("Pixels", np.ndarray, "torch.Tensor")
"""An image, uint8 [H, W, 3], in memory or on a device."""


def resize(pixels: Pixels, width: int, height: int, interpolation: Interpolation) -> Pixels:
    """Resize an image uint8 [H, W, 3] to uint8 [height, width, 3]. Tensors are resized on their device."""
    if pixels.shape[:2] == (height, width):
        return pixels
    if isinstance(pixels, np.ndarray):
        return _array(pixels, width, height, interpolation)
    from offshelf.augmentation.resize_on_device import resize_tensor, resizes

    if resizes(tuple(pixels.shape), width, height, interpolation):
        return resize_tensor(pixels, width, height, interpolation)
    return pixels.new_tensor(_array(pixels.cpu().numpy(), width, height, interpolation))


def exact(pixels: np.ndarray, width: int, height: int, interpolation: str) -> np.ndarray:
    """Resize an image uint8 [H, W, 3] by NumPy alone, which is the definition."""
    from offshelf.augmentation.resize_on_device import fixed_point

    for axis, to in ((1, width), (0, height)):
        if pixels.shape[axis] == to:
            continue
        weights, bits = fixed_point(pixels.shape[axis], to, interpolation)
        # Sums of integers below 2^53: exact in double precision, in any order.
        sums = np.moveaxis(np.tensordot(weights.astype(np.float64), pixels, (1, axis)), 0, axis).astype(np.int64)
        pixels = ((sums + (1 << (bits - 1))) >> bits).clip(0, 255).astype(np.uint8)
    return pixels


def _array(pixels: np.ndarray, width: int, height: int, interpolation: Interpolation) -> np.ndarray:
    if interpolation == "nearest":
        return pixels[_centres(pixels.shape[0], height)][:, _centres(pixels.shape[1], width)]
    if interpolation in IN_TORCH:
        return (
            _with_torch(pixels, width, height, interpolation)
            if _torch_is_equal(interpolation)
            else exact(pixels, width, height, interpolation)
        )
    from PIL import Image

    # One axis at a time, so that the order does not depend on Pillow's release.
    image, how = Image.fromarray(pixels), Image.Resampling.LANCZOS
    return np.asarray(image.resize((width, image.height), how).resize((width, height), how))


def _centres(size: int, to: int) -> np.ndarray:
    """Return the pixels under the centres of `to` pixels, int64 [to], by a sum of steps as in Pillow."""
    steps = np.full(to, size / to)
    steps[0] /= 2
    return np.floor(np.cumsum(steps)).astype(np.int64).clip(0, size - 1)


@lru_cache
def _torch_is_equal(interpolation: str) -> bool:
    """Return whether PyTorch's kernel equals the definition, in this release and on this processor."""
    probe = np.random.default_rng(0).integers(0, 256, (83, 61, 3), dtype=np.uint8)
    is_equal = all(
        np.array_equal(_with_torch(probe, *size, interpolation), exact(probe, *size, interpolation)) for size in PROBES
    )
    if not is_equal:
        log.warning(
            "PyTorch's resizing differs from offshelf's definition (%s): NumPy is used, more slowly.", interpolation
        )
    return is_equal


def _with_torch(pixels: np.ndarray, width: int, height: int, interpolation: str) -> np.ndarray:
    import torch
    from torch.nn.functional import interpolate

    # [1, 3, H, W] in channels-last memory: the layout of the fast kernel.
    image = torch.from_numpy(np.require(pixels, requirements=["C", "W"])).permute(2, 0, 1)[None]
    with torch.inference_mode():
        resized = interpolate(image, (height, width), mode=interpolation, align_corners=False, antialias=True)
    return resized[0].permute(1, 2, 0).numpy()
