"""Poolings on hand-made tensors."""

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
