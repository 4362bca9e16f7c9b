"""Poolings on hand-made tensors."""

import numpy as np
import pytest
import torch

from offshelf.backbone.layout import Layout
from offshelf.backbone.pooling import pool
from offshelf.errors import BackboneError

MAP = torch.arange(2 * 3 * 2 * 2.0).reshape(2, 3, 2, 2)
TOKENS = torch.arange(1 * 5 * 2.0).reshape(1, 5, 2)  # a class token and 2 x 2 patches
FIRST, LAST = Layout(channels=0), Layout(channels=2)
PATCHES, WITH_CLASS = Layout(channels=1), Layout(channels=1, prefix=1, has_class=True)


@pytest.mark.parametrize(
    ("pooling", "first"), [("auto", [1.5, 5.5, 9.5]), ("avg", [1.5, 5.5, 9.5]), ("max", [3, 7, 11])]
)
def test_maps(pooling, first):
    """Over space."""
    assert pool(MAP, pooling, FIRST)[0].tolist() == first


def test_maps_with_channels_last():
    """Also where there are as many as rows and columns."""
    for channels in (5, 3):
        maps = torch.rand(2, channels, 3, 3)

        assert torch.allclose(pool(maps.permute(0, 2, 3, 1), "avg", LAST), maps.mean((2, 3)))


def test_flatten():
    """Everything."""
    assert pool(MAP, "flatten", Layout(channels=None))[1].tolist() == list(range(12, 24))


@pytest.mark.parametrize(("pooling", "expected"), [("auto", [0, 1]), ("cls", [0, 1]), ("avg", [5, 6]), ("max", [8, 9])])
def test_tokens_with_class_token(pooling, expected):
    """The class token, or the patches without it."""
    assert pool(TOKENS, pooling, WITH_CLASS)[0].tolist() == expected


def test_tokens_without_class_token():
    """`auto` averages; `cls` is refused."""
    assert pool(TOKENS[:, 1:], "auto", PATCHES)[0].tolist() == [5, 6]
    with pytest.raises(BackboneError, match="pooling=avg"):
        pool(TOKENS[:, 1:], "cls", PATCHES)


def test_registers_are_no_patches():
    """Four numbers that are no part of the image stand before it, none of them a class token."""
    tokens = torch.cat([torch.full((1, 4, 2), 99.0), TOKENS[:, 1:]], dim=1)

    for pooling in ("auto", "avg"):
        assert pool(tokens, pooling, Layout(channels=1, prefix=4))[0].tolist() == [5, 6]


def test_axes_that_cannot_be_told_apart_are_refused():
    """With the way out, which works."""
    with pytest.raises(BackboneError, match="use pooling=flatten"):
        pool(MAP, "avg", Layout(channels=None))


def test_vectors_stay():
    """And are copies."""
    values = torch.rand(2, 3)
    pooled = pool(values, "auto", FIRST)
    values.zero_()

    assert (pooled > 0).all()


@pytest.mark.parametrize(("output", "pooling"), [(MAP, "mean"), (MAP, "cls")])
def test_what_does_not_fit_is_refused(output, pooling):
    """With a sentence."""
    with pytest.raises(BackboneError, match=pooling):
        pool(output, pooling, FIRST)


def gem(rows):
    """Of rows [S, C], by NumPy."""
    return np.cbrt((np.maximum(rows, 1e-6) ** 3).mean(axis=0))


def rmac(grid):
    """Of a grid [S, S, C], region by region as section 4 of Tolias et al. describes them."""
    size, total = len(grid), 0
    for level in (1, 2, 3):
        side = int(np.floor(2 * size / (level + 1)))
        places = np.floor(np.linspace(0, size - side, level) + 1e-9).astype(int)
        for top in places:
            for left in places:
                region = grid[top : top + side, left : left + side].reshape(-1, grid.shape[2]).max(axis=0)
                total = total + region / np.linalg.norm(region)
    return total


@pytest.mark.parametrize("size", [7, 14, 5, 2])
def test_gem_and_rmac(size):
    """Maps with channels first and last, and patch tokens behind a class token: the same as NumPy's loops."""
    grid = np.random.default_rng(size).normal(size=(2, size, size, 6)).astype(np.float32)
    last = torch.from_numpy(grid)
    first = last.permute(0, 3, 1, 2)
    tokens = torch.cat([torch.full((2, 1, 6), 9.0), last.flatten(1, 2)], dim=1)

    for pooling, oracle in (("gem", lambda one: gem(one.reshape(-1, 6))), ("rmac", rmac)):
        expected = np.stack([oracle(one) for one in grid])
        assert np.allclose(pool(first, pooling, FIRST), expected, rtol=1e-4, atol=1e-5)
        assert np.allclose(pool(last, pooling, LAST), expected, rtol=1e-4, atol=1e-5)
        assert np.allclose(pool(tokens, pooling, WITH_CLASS), expected, rtol=1e-4, atol=1e-5)


def test_gem_lies_between_average_and_maximum():
    """Of values that are not negative."""
    average, general, largest = (pool(MAP, name, FIRST) for name in ("avg", "gem", "max"))

    assert (average < general).all()
    assert (general < largest).all()


@pytest.mark.parametrize("output", [torch.rand(1, 2, 3, 4), torch.rand(1, 7, 4)])
def test_rmac_needs_a_square(output):
    """Its regions are squares."""
    with pytest.raises(BackboneError, match="pooling=rmac needs"):
        pool(output, "rmac", FIRST if output.ndim == 4 else PATCHES)
