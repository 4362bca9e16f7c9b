"""What images made at random have in common, whatever their format: values, depths, sides, and what is to be seen."""

import struct
from dataclasses import dataclass

import numpy as np

WHITE = np.array([255, 255, 255])
SIZES = ((1, 1), (1, 40), (33, 47), (64, 48), (3, 120))
BITS = (8, 10, 12, 14, 16)


@dataclass(frozen=True)
class Case:
    """A file, and what is to be seen of it."""

    name: str
    data: bytes
    pixels: np.ndarray
    """uint8 [H, W, 3]"""
    tolerance: int = 0
    values: tuple[float, float] | None = None
    """Its range of values, where it has more than 8 bits."""


def pick(rng, several):
    """One of several."""
    return several[int(rng.integers(len(several)))]


def noise(rng, channels, high, kind=np.uint8, low=0):
    """Values from `low` to `high`, both of which occur where there is room, [H, W, channels]; smooth, with noise."""
    height, width = pick(rng, SIZES)
    ramp = np.add.outer(np.arange(height), np.arange(width))[..., None] / (height + width)
    values = (ramp * 0.7 + rng.random((height, width, channels)) * 0.3) * (high - low) + low
    values.flat[0], values.flat[-1] = low, high
    return values.astype(kind)


def narrow(values, low, high):
    """By a range to 8 bits, in exact fractions of float64."""
    return np.rint((values.astype(np.float64) - low).clip(0, high - low) * 255 / (high - low)).astype(np.uint8)


def seen(pixels, white=WHITE):
    """RGB of grey, grey and opacity, RGB, or RGB and opacity in 8 bits, on a background."""
    if pixels.shape[2] in (2, 4):
        opacity = pixels[..., -1:] / 255
        return np.rint(seen(pixels[..., :-1]) * opacity + white * (1 - opacity)).astype(np.uint8)
    return np.repeat(pixels, 3, 2) if pixels.shape[2] == 1 else pixels


def turned(pixels, orientation):
    """As a camera that was held so stores it, of which `pixels` is the upright picture."""
    mirrored = pixels[:, ::-1]
    return np.ascontiguousarray(
        {
            1: pixels,
            2: mirrored,
            3: np.rot90(pixels, 2),
            4: np.rot90(mirrored, 2),
            5: np.rot90(mirrored, 1),
            6: np.rot90(pixels, 1),
            7: np.rot90(mirrored, -1),
            8: np.rot90(pixels, -1),
        }[orientation]
    )


def exif(orientation):
    """A block of EXIF with one tag."""
    return b"MM\0*\0\0\0\x08" + struct.pack(">HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, 0)
