"""Axes and tokens are found by looking at twice the size, in networks of one's own as in timm's."""

import pytest
import torch
from torch import nn

from offshelf.backbone import Timm
from offshelf.backbone.network import TappedNetwork
from offshelf.backbone.outline import outline
from offshelf.backbone.probe import survey
from offshelf.errors import BackboneError


def pictures(size, count=2):
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(0))


def timm_model(arch, **options):
    from offshelf.backbone.torchvision_import import import_torchvision

    import_torchvision()
    import timm

    return timm.create_model(arch, **options).eval()


class Wrapped(nn.Module):
    """A network inside another, which declares nothing."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, images):
        return self.inner(images)


@pytest.mark.parametrize(
    ("arch", "size", "prefix", "has_class"),
    [
        ("vit_small_patch14_reg4_dinov2", 70, 5, True),
        ("deit_tiny_distilled_patch16_224", 64, 2, True),
        ("vit_base_patch16_reg4_gap_256", 64, 4, False),
        ("vit_base_patch16_siglip_gap_224", 64, 0, False),
    ],
)
def test_tokens_of_a_network_inside_another(arch, size, prefix, has_class):
    """Registers, class and distillation tokens are no patches; a network that takes one size alone is believed."""
    inner = timm_model(arch, img_size=size, num_classes=0, depth=2)
    network, images, seen = TappedNetwork(Wrapped(inner), {}, "net"), pictures(size), {}
    with inner.blocks[1].register_forward_hook(lambda _, __, output: seen.update(tokens=output.detach())):
        network.module(images)
    tokens = seen["tokens"]

    assert torch.allclose(
        network.features(images, ["inner.blocks.1"], "avg")["inner.blocks.1"], tokens[:, prefix:].mean(1)
    )
    auto = network.features(images, ["inner.blocks.1"], "auto")["inner.blocks.1"]
    assert torch.allclose(auto, tokens[:, 0] if has_class else tokens[:, prefix:].mean(1))


def test_tokens_without_a_name():
    """Nothing declares the two numbers before the patches: that they do not grow with the image tells."""

    class Queries(nn.Module):
        def __init__(self):
            super().__init__()
            self.extra = nn.Parameter(torch.full((1, 2, 3), 50.0))
            self.tokens = nn.Identity()

        def forward(self, images):
            return self.tokens(torch.cat([self.extra.expand(len(images), 2, 3), images.flatten(2).mT], 1))

    images = pictures(4)
    values = TappedNetwork(Queries(), {}, "net").features(images, ["tokens"], "auto")["tokens"]

    assert torch.allclose(values, images.mean((2, 3)), atol=1e-6)


def test_channels_before_tokens():
    """[N, C, T], as between the mixings of an MLP-Mixer."""
    images = pictures(4)
    values = TappedNetwork(nn.Sequential(nn.Flatten(2)), {}, "net").features(images, ["0"], "avg")["0"]

    assert torch.allclose(values, images.mean((2, 3)), atol=1e-6)


@pytest.mark.parametrize("channels_last", [True, False])
def test_as_many_channels_as_rows(channels_last):
    """Shapes alone would not tell."""

    class Permuted(nn.Module):
        def forward(self, images):
            return images.permute(0, 2, 3, 1) if channels_last else images

    images = pictures(3)
    values = TappedNetwork(nn.Sequential(Permuted()), {}, "net").features(images, ["0"], "avg")["0"]

    assert torch.allclose(values, images.mean((2, 3)), atol=1e-6)


@pytest.mark.slow
def test_swin_with_as_many_channels_as_rows():
    """timm's own word: channels last. 96 of them, 96 x 96 places."""
    spec = Timm("swin_tiny_patch4_window7_224", weights=None, img_size=384)
    network, images, seen = spec.load(), pictures(384, 1), {}
    with network.module.layers[0].register_forward_hook(lambda _, __, output: seen.update(map=output.detach())):
        values = network.features(images, ["layers.0"], "avg")["layers.0"]

    assert network.module.output_fmt == "NHWC"
    assert seen["map"].shape[1:] == (96, 96, 96)
    assert torch.allclose(values, seen["map"].mean((1, 2)), atol=1e-6)


def test_a_network_of_one_size_whose_axes_cannot_be_told_apart():
    """Refused with the way out, which works."""

    class Fixed(nn.Module):
        def forward(self, images):
            assert images.shape[-1] == 3
            return images.permute(0, 2, 3, 1)

    network, images = TappedNetwork(nn.Sequential(Fixed()), {}, "net"), pictures(3)
    with pytest.raises(BackboneError, match="cannot be identified at this layer; use pooling=flatten"):
        network.features(images, ["0"], "avg")

    assert network.features(images, ["0"], "flatten")["0"].shape == (2, 27)


def test_windows_are_not_listed():
    """What has no row an image is no layer: TNT's pixels, Swin's windows."""
    paths = survey(outline(lambda: timm_model("tnt_s_legacy_patch16_224")), (224, 224))
    assert "blocks.0:2" in paths
    assert "pixel_embed" not in paths
    assert "layers.0.blocks.0.attn" not in survey(
        outline(lambda: timm_model("swin_tiny_patch4_window7_224")), (224, 224)
    )
