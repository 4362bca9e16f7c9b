"""The layers of DINOv2's linear evaluation."""

import numpy as np
import pytest
import torch

from offshelf.backbone import Pixels, Timm, Tiny, Torchvision
from offshelf.config import build_group, load
from offshelf.errors import BackboneError, ConfigError
from offshelf.layer_fusion import LastBlocks

VIT = Timm("test_vit", weights=None)


def option(name):
    """A backbone of the command line."""
    return build_group(load("layers", [f"backbone={name}"]), "backbone")


def linear_input(module, images, blocks, patches):
    """`create_linear_input` of dinov2/eval/linear.py, on timm's intermediate layers."""
    inner = module.forward_intermediates(
        images, indices=blocks, norm=True, return_prefix_tokens=True, output_fmt="NLC", intermediates_only=True
    )
    parts = [prefix[:, 0] for _, prefix in inner] + [inner[-1][0].mean(1)] * patches
    return torch.cat(parts, 1)


@pytest.mark.parametrize("blocks", [1, 4])
@pytest.mark.parametrize("patches", [False, True])
def test_features_are_those_of_the_paper(blocks, patches):
    network, images = VIT.load(), torch.rand(2, 3, 160, 160)
    layers = LastBlocks(blocks, patches).layers(VIT)
    with torch.no_grad():
        expected = linear_input(network.module, images, blocks, patches)

    found = network.features(images, layers, "auto")

    torch.testing.assert_close(torch.cat([found[layer] for layer in layers], 1), expected)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (VIT, ("norm of blocks.4@cls", "norm@cls", "norm@avg")),
        (Timm("deit_tiny_distilled_patch16_224", weights=None), ("norm of blocks.10@cls", "norm@cls", "norm@avg")),
        (Torchvision("vit_b_16", weights=None), None),
        (
            build_group(load("layers", ["backbone=dinov2"]), "backbone"),
            ("norm of blocks.10@cls", "norm@cls", "norm@avg"),
        ),
        (
            build_group(load("layers", ["backbone=vit_b_16"]), "backbone"),
            ("norm of block10@cls", "norm@cls", "norm@avg"),
        ),
    ],
    ids=lambda one: getattr(one, "name", ""),
)
def test_any_vision_transformer(spec, expected):
    layers = LastBlocks(2).layers(spec)

    assert len(layers) == 3
    assert layers == (expected or layers)


@pytest.mark.parametrize("spec", [Tiny(), Pixels(), Timm("resnet18", weights=None)], ids=lambda spec: spec.name)
def test_other_networks_are_refused(spec):
    with pytest.raises(BackboneError, match="needs numbered blocks and a norm after them, which"):
        LastBlocks().layers(spec)


@pytest.mark.parametrize(
    ("fusion", "asked", "why"),
    [
        (LastBlocks(), ["blocks.3"], "layer_fusion=dinov2 chooses the layers itself"),
        (LastBlocks(7), "last", "layer_fusion.blocks=7, and test_vit has 6 blocks"),
    ],
)
def test_what_cannot_be(fusion, asked, why):
    with pytest.raises(BackboneError, match=why):
        fusion.layers(VIT, asked)


@pytest.mark.parametrize("blocks", [0, -1, 1.5, True, "4"])
def test_wrong_numbers(blocks):
    with pytest.raises(ConfigError, match=r"layer_fusion.blocks is a number of blocks from 1 on; got"):
        LastBlocks(blocks)


def test_parts_are_transformed_by_the_postprocess():
    from sklearn.preprocessing import Normalizer

    rows = np.array([[3.0, 4.0, 5.0]])
    fitted = LastBlocks().transformer(Normalizer(), {"a": 2, "b": 1}).fit(rows)

    np.testing.assert_allclose(fitted.transform(rows), [[0.6, 0.8, 1.0]])
