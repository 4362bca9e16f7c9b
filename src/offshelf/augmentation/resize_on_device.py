"""Resizing on the network's device, with the pixels of PyTorch's uint8 kernel for CPUs to the last bit.

That kernel is Pillow's algorithm: along each axis a weighted sum in 16-bit fixed point, rounded to 8 bits. Here the
sums are matrix products. The weights are split into two bytes each, so that products are exact in float32 (TF32 too).
"""

import math
from functools import lru_cache

import numpy as np
import torch

MOST_TAPS = 256
"""Largest number of pixels in a weighted sum: 255 * 255 * 256 is the largest sum that float32 holds exactly."""

TAPS = {"bilinear": 2, "bicubic": 4}


def resizes(shape: tuple[int, ...], width: int, height: int, interpolation: str) -> bool:
    """Return whether an image [H, W, 3] can be resized exactly."""
    scale = max(shape[0] / height, shape[1] / width, 1.0)
    return interpolation in TAPS and TAPS[interpolation] * math.ceil(scale) + 2 <= MOST_TAPS


def resize_tensor(pixels: torch.Tensor, width: int, height: int, interpolation: str) -> torch.Tensor:
    """Resize an image uint8 [H, W, 3] on its device: uint8 [height, width, 3]."""
    planes = pixels.permute(2, 0, 1)
    planes = _resize_last(planes, width, interpolation)
    return _resize_last(planes.transpose(1, 2), height, interpolation).permute(2, 1, 0)


def _resize_last(planes: torch.Tensor, to: int, interpolation: str) -> torch.Tensor:
    """Resize the last axis: uint8 [3, N, size] to uint8 [3, N, to]."""
    if planes.shape[2] == to:
        return planes
    bytes_of_weights, bits = _weights_on(planes.shape[2], to, interpolation, planes.device)
    sums = (planes.float() @ bytes_of_weights).to(torch.int32)
    total = sums[..., :to] * 256 + sums[..., to:]
    return ((total + (1 << (bits - 1))) >> bits).clamp(0, 255).to(torch.uint8)


@lru_cache(maxsize=64)
def _weights_on(size: int, to: int, interpolation: str, device: torch.device) -> tuple[torch.Tensor, int]:
    """Return high bytes, then low bytes of the weights, float32 [size, 2 * to], and the number of fractional bits."""
    weights, bits = fixed_point(size, to, interpolation)
    high = weights >> 8  # rounds down, so that the low byte is never negative
    parts = np.concatenate([high, weights - (high << 8)]).astype(np.float32)
    return torch.from_numpy(parts.T.copy()).to(device), bits


def fixed_point(size: int, to: int, interpolation: str) -> tuple[np.ndarray, int]:
    """Return the weights of Pillow's antialiased filters, int64 [to, size], and the number of fractional bits.

    They are computed as in PyTorch (`UpSampleKernel.cpp`): as many bits as the largest weight allows in 16, at most 22.
    """
    scale = size / to
    stretch = max(scale, 1.0)
    support = TAPS[interpolation] / 2 * stretch
    centre = scale * (np.arange(to) + 0.5)
    first = np.maximum((centre - support + 0.5).astype(np.int64), 0)
    count = np.minimum((centre + support + 0.5).astype(np.int64), size) - first
    taps = np.arange(math.ceil(support) * 2 + 1)
    values = _FILTERS[interpolation]((taps + first[:, None] - centre[:, None] + 0.5) / stretch)
    values[taps >= count[:, None]] = 0
    values /= values.sum(axis=1, keepdims=True)
    bits = next((bits for bits in range(22) if int(0.5 + values.max() * (1 << (bits + 1))) >= 1 << 15), 22)
    rounded = np.trunc(values * (1 << bits) + np.copysign(0.5, values)).astype(np.int64)
    weights = np.zeros((to, size + len(taps)), np.int64)
    np.put_along_axis(weights, taps + first[:, None], rounded, axis=1)
    return weights[:, :size], bits


def _bilinear(distance: np.ndarray) -> np.ndarray:
    return np.maximum(1 - np.abs(distance), 0)


def _bicubic(distance: np.ndarray) -> np.ndarray:
    """Return Keys' kernel with a = -0.5."""
    x = np.abs(distance)
    near, far = (1.5 * x - 2.5) * x * x + 1, ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0))


_FILTERS = {"bilinear": _bilinear, "bicubic": _bicubic}
