"""Poolings on hand-made tensors."""

import numpy as np
import pytest
import torch

from offshelf.backbone.pooling import pool
from offshelf.errors import BackboneError

MAP = torch.arange(2 * 3 * 2 * 2.0).reshape(2, 3, 2, 2)
TOKENS = torch.arange(1 * 5 * 2.0).reshape(1, 5, 2)  # a class token and 2 x 2 patches


@pytest.mark.parametrize(
    ("pooling", "first"), [("auto", [1.5, 5.5, 9.5]), ("avg", [1.5, 5.5, 9.5]), ("max", [3, 7, 11])]
)
def test_maps(pooling, first):
    """Over space."""
    assert pool(MAP, pooling, 0, False)[0].tolist() == first


def test_maps_with_channels_last():
    """The two equal axes are space."""
    wide = torch.rand(2, 5, 3, 3)

    assert torch.allclose(pool(wide.permute(0, 2, 3, 1), "avg", 0, False), pool(wide, "avg", 0, False))


def test_flatten():
    """Everything."""
    assert pool(MAP, "flatten", 0, False)[1].tolist() == list(range(12, 24))


@pytest.mark.parametrize(("pooling", "expected"), [("auto", [0, 1]), ("cls", [0, 1]), ("avg", [5, 6]), ("max", [8, 9])])
def test_tokens_with_class_token(pooling, expected):
    """The class token, or the patches without it."""
    assert pool(TOKENS, pooling, 1, True)[0].tolist() == expected


def test_tokens_without_class_token():
    """`auto` averages; `cls` is refused."""
    assert pool(TOKENS[:, 1:], "auto", 0, False)[0].tolist() == [5, 6]
    with pytest.raises(BackboneError, match="pooling=avg"):
        pool(TOKENS[:, 1:], "cls", 0, False)


def test_tokens_before_the_class_token_is_added():
    """Four patches are a square: no class token among them yet."""
    assert pool(TOKENS[:, 1:], "auto", 1, True)[0].tolist() == [5, 6]


def test_vectors_stay():
    """And are copies."""
    values = torch.rand(2, 3)
    pooled = pool(values, "auto", 0, False)
    values.zero_()

    assert (pooled > 0).all()


@pytest.mark.parametrize(("output", "pooling"), [(MAP, "mean"), (MAP, "cls"), (torch.zeros(1, 2, 3, 4, 5), "avg")])
def test_what_does_not_fit_is_refused(output, pooling):
    """With a sentence."""
    with pytest.raises(BackboneError, match=pooling):
        pool(output, pooling, 0, False)


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
        assert np.allclose(pool(first, pooling, 0, False), expected, rtol=1e-4, atol=1e-5)
        assert np.allclose(pool(last, pooling, 0, False), expected, rtol=1e-4, atol=1e-5)
        assert np.allclose(pool(tokens, pooling, 1, True), expected, rtol=1e-4, atol=1e-5)


def test_gem_lies_between_average_and_maximum():
    """Of values that are not negative."""
    average, general, largest = (pool(MAP, name, 0, False) for name in ("avg", "gem", "max"))

    assert (average < general).all()
    assert (general < largest).all()


@pytest.mark.parametrize("output", [torch.rand(1, 2, 3, 4), torch.rand(1, 7, 4)])
def test_rmac_needs_a_square(output):
    """Its regions are squares."""
    with pytest.raises(BackboneError, match="pooling=rmac needs"):
        pool(output, "rmac", 0, False)
