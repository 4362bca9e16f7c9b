"""Resizing and rotation are defined here: what makes the pixels changes none of them, whatever its release."""

import math

import numpy as np
import pytest

from offshelf.augmentation import View
from offshelf.augmentation import resize as resizing
from offshelf.augmentation import rotate as rotating
from offshelf.augmentation.resize import exact, resize
from offshelf.backbone.preprocessing import Preprocessing

SHAPES = [(900, 300), (300, 900), (120, 90), (40, 31), (7, 200)]


def noise(*shape):
    """Black and white, where every rounding shows."""
    return np.random.default_rng(0).integers(0, 2, (*shape, 3), dtype=np.uint8) * 255


def sinc(x):
    return 1.0 if x == 0 else math.sin(math.pi * x) / (math.pi * x)


KERNELS = {
    "bilinear": (1, lambda x: max(0.0, 1 - abs(x))),
    "bicubic": (
        2,
        lambda x: (
            1.5 * abs(x) ** 3 - 2.5 * x * x + 1
            if abs(x) < 1
            else -0.5 * abs(x) ** 3 + 2.5 * x * x - 4 * abs(x) + 2
            if abs(x) < 2
            else 0.0
        ),
    ),
    "lanczos": (3, lambda x: sinc(x) * sinc(x / 3) if abs(x) < 3 else 0.0),
}


def by_definition(pixels, to, interpolation):
    """Each output row a weighted mean of input rows: a loop over the kernel's formula, in double precision."""
    radius, kernel = KERNELS[interpolation]
    scale = len(pixels) / to
    stretch = max(scale, 1.0)
    rows = []
    for row in range(to):
        centre = (row + 0.5) * scale
        weights = np.zeros(len(pixels))
        for place in range(len(pixels)):
            if abs(place + 0.5 - centre) < radius * stretch:
                weights[place] = kernel((place + 0.5 - centre) / stretch)
        rows.append(np.tensordot(weights / weights.sum(), pixels, 1))
    return np.stack(rows).clip(0, 255)


@pytest.mark.parametrize("interpolation", KERNELS)
@pytest.mark.parametrize("shape", SHAPES)
def test_columns_then_rows_whatever_the_shape(shape, interpolation):
    """Width first, rounded, then height: tall images too, whose order Pillow changed in 13.0.0."""
    pixels = noise(*shape)
    first = np.rint(by_definition(pixels.swapaxes(0, 1), 48, interpolation)).swapaxes(0, 1)
    expected = by_definition(first, 64, interpolation)
    apart = np.abs(resize(pixels, 48, 64, interpolation) - expected)

    assert apart.max() <= 1.6  # half a level of rounding, after weights that add up to half a level in the first pass
    assert (apart > 0.51).mean() < 0.02


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("shape", SHAPES)
def test_without_pytorchs_kernel_the_pixels_are_the_same(shape, interpolation, monkeypatch):
    """A release that computes something else is not used."""
    pixels = noise(*shape)
    fast = resize(pixels, 48, 64, interpolation)
    monkeypatch.setattr(
        resizing, "_with_torch", lambda pixels, width, height, _: np.zeros((height, width, 3), np.uint8)
    )
    resizing._torch_is_equal.cache_clear()
    try:
        slow = resize(pixels, 48, 64, interpolation)
    finally:
        resizing._torch_is_equal.cache_clear()

    assert (fast == slow).all()
    assert (slow == exact(pixels, 48, 64, interpolation)).all()
    assert slow.any()


@pytest.mark.parametrize("fill", ["reflect", "black", "mean"])
@pytest.mark.parametrize("angle", [-170, -10, 33.3, 90])
def test_without_pillows_rotation_the_pixels_are_the_same(angle, fill, monkeypatch):
    """Inscribed and framed."""
    pixels, views = noise(60, 91), [View(angle=angle), View(angle=angle, inscribed=False, fill=fill)]
    fast = [view.apply(pixels, Preprocessing(crop=64, resize=72)) for view in views]
    monkeypatch.setattr(rotating, "_with_pillow", lambda pixels, size, *_: np.zeros((*size[::-1], 3), np.uint8))
    rotating._pillow_is_equal.cache_clear()
    try:
        slow = [view.apply(pixels, Preprocessing(crop=64, resize=72)) for view in views]
    finally:
        rotating._pillow_is_equal.cache_clear()

    assert all((one == other).all() for one, other in zip(fast, slow, strict=True))
    assert slow[0].any()


def test_nearest_takes_the_pixel_under_the_centre():
    """Of any two sizes, by whole numbers."""
    rng = np.random.default_rng(0)
    for size, to in rng.integers(1, 700, (200, 2)).tolist():
        column = np.arange(size, dtype=np.int64)
        pixels = np.stack([column % 256, column // 256, column * 0], 1).astype(np.uint8)[:, None]
        seen = resize(pixels, 1, to, "nearest")[:, 0].astype(int)
        under = ((2 * np.arange(to) + 1) * size) // (2 * to)
        exactly_between = ((2 * np.arange(to) + 1) * size) % (2 * to) == 0
        assert ((seen[:, 0] + 256 * seen[:, 1] == under) | exactly_between).all()
