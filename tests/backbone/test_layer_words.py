"""Layers with a pooling of their own, and outputs that are passed through another module."""

import pytest
import torch

from offshelf.augmentation import View
from offshelf.backbone import Pixels, Timm, Tiny, select_layers
from offshelf.errors import BackboneError
from offshelf.extractor import Extractor, Request

VIT = Timm("test_vit", weights=None)


def chosen(spec, layer):
    return select_layers(layer, spec.layer_names(), spec.name, spec.module_names)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("last@max", ("block3@max",)),
        ("all@avg", ("block1@avg", "block2@avg", "block3@avg")),
        (["block3@avg", "block1", "block3"], ("block1", "block3@avg", "block3")),
        (["block[12]@gem", "0.1@max"], ("block1@gem", "block2@gem", "0.1@max")),
        ("1.1 of block1@max", ("1.1 of block1@max",)),
    ],
)
def test_words(asked, expected):
    """In the order of the network, whatever their poolings."""
    assert chosen(Tiny(), asked) == expected


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ("block1@mean", "The pooling of 'block1@mean', after the @, must be one of auto, avg"),
        ("block4@avg", "tiny has no layer 'block4'; did you mean"),
        ("9.9 of block1", "tiny has no layer '9.9 of block1'"),
        ("block1 of block9", "tiny has no layer 'block1 of block9'"),
    ],
)
def test_mistakes(asked, why):
    with pytest.raises(BackboneError, match=why):
        chosen(Tiny(), asked)


def test_a_pooling_of_its_own_is_the_same_feature():
    """Its key is that of a run with this pooling, so that stored features are shared."""

    def key(layer, pooling):
        return next(iter(Request(Tiny(), (layer,), pooling, (View(),)).keys(Extractor()).values()))

    assert key("block2@max", "auto") == key("block2", "max") != key("block2", "auto")
    assert key("1.1 of block1", "auto").module == "1.1 of 0"


def test_poolings_of_one_pass():
    """Each layer is pooled by its own; the oracle is a pass for each."""
    network, images = Tiny().load(), torch.rand(2, 3, 32, 32)
    found = network.features(images, ["block2@max", "block2", "block3@gem"], "avg")

    for layer, name, pooling in [("block2@max", "block2", "max"), ("block2", "block2", "avg")]:
        torch.testing.assert_close(found[layer], network.features(images, [name], pooling)[name], rtol=0, atol=0)
    assert found["block3@gem"].shape == (2, 32)


def test_a_norm_of_an_inner_block():
    """As timm's own method for intermediate layers gives it, with the class token first."""
    network, images = VIT.load(), torch.rand(2, 3, 160, 160)
    with torch.no_grad():
        expected = network.module.forward_intermediates(
            images, indices=[3, 5], norm=True, return_prefix_tokens=True, output_fmt="NLC", intermediates_only=True
        )
    layers = ["norm of blocks.3@cls", "norm of blocks.3@avg", "norm@cls", "norm@avg", "norm of blocks.5@cls"]
    found = network.features(images, layers, "auto")

    for (patches, prefix), name in zip(expected, ["norm of blocks.3", "norm"], strict=True):
        torch.testing.assert_close(found[f"{name}@cls"], prefix[:, 0])
        torch.testing.assert_close(found[f"{name}@avg"], patches.mean(1))
    torch.testing.assert_close(found["norm of blocks.5@cls"], found["norm@cls"])


def test_a_backbone_without_modules_of_that_name():
    with pytest.raises(BackboneError, match="pixels has no layer 'norm of pixels'"):
        chosen(Pixels(), "norm of pixels")
