"""Tapped layers: alone and together the same, unaltered by what comes later, on many architectures."""

import numpy as np
import pytest
import torch
from torch import nn

from offshelf.backbone import EfficientNetLite0, Pixels, Timm, Tiny, Torchvision
from offshelf.backbone.network import TappedNetwork
from offshelf.errors import BackboneError

ARCHITECTURES = [
    Torchvision("resnet18", weights=None),
    Torchvision("alexnet", weights=None),
    Torchvision("vgg11", weights=None),
    Torchvision("densenet121", weights=None),
    Torchvision("mobilenet_v3_small", weights=None),
    Torchvision("convnext_tiny", weights=None),
    Torchvision("googlenet", weights=None),
    Torchvision("vit_b_32", weights=None),
    Torchvision("swin_t", weights=None),
    Timm("vit_tiny_patch16_224", weights=None),
    Timm("mixer_s32_224", weights=None),
    Timm("efficientnet_lite0", weights=None),
    Timm("swin_tiny_patch4_window7_224", weights=None),
    Timm("deit_tiny_distilled_patch16_224", weights=None),
]
ALIKE = ("alexnet", "vgg11", "convnext_tiny", "mobilenet_v3_small", "swin_tiny_patch4_window7_224", "mixer_s32_224")
"""Of the kinds of layers that the others have too: too long for every run."""
ANY_SIZE = ("resnet18", "alexnet", "vgg11", "densenet121", "mobilenet_v3_small", "convnext_tiny", "efficientnet_lite0")


def pictures(size, count=2):
    """Seeded normalised images."""
    return torch.randn(count, 3, size, size, generator=torch.Generator().manual_seed(0))


def plain_outputs(module, paths, images):
    """Oracle: every output copied by a hook of its own, in one full pass without in-place operations."""
    outputs = {}
    handles = [
        module.get_submodule(path).register_forward_hook(
            lambda _, __, output, path=path: outputs.update({path: output.clone()})
        )
        for path in paths
    ]
    with torch.inference_mode():
        module(images)
    for handle in handles:
        handle.remove()
    return outputs


@pytest.mark.slow
@pytest.mark.parametrize(
    "backbone",
    [pytest.param(one, marks=pytest.mark.soak) if one.name in ALIKE else one for one in ARCHITECTURES],
    ids=lambda backbone: f"{type(backbone).__name__}-{backbone.name}",
)
def test_layer_alone_is_layer_among_others(backbone):
    """The same numbers to the bit, and all curated layers are reached."""
    network = backbone.load()
    layers = backbone.layer_names()
    images = pictures(96 if backbone.name in ANY_SIZE else backbone.preprocessing().crop)
    together = network.features(images, layers, "auto")

    assert len(layers) >= 4
    for layer in layers[:: max(1, len(layers) // 4)]:
        assert torch.equal(network.features(images, [layer], "auto")[layer], together[layer]), layer
    for values in together.values():
        assert values.dtype == torch.float32
        assert values.ndim == 2
        assert values.isfinite().all()


@pytest.mark.slow
@pytest.mark.parametrize("arch", ["resnet18", "vgg11", "densenet121"])
def test_values_are_those_of_untouched_modules(arch):
    """Against hooks that copy: batch norms and convolutions before in-place ReLUs included."""
    paths = {
        "resnet18": ["layer1.0.bn1", "layer4.1.bn2", "layer4"],
        "vgg11": ["features.18", "features.20"],
        "densenet121": ["features.norm5", "features.denseblock1"],
    }[arch]
    network = Torchvision(arch, weights=None).load()
    images = pictures(64)
    expected = plain_outputs(network.module, paths, images)
    values = network.features(images, paths, "avg")

    for path in paths:
        assert torch.allclose(values[path], expected[path].mean((2, 3)), atol=1e-6)


def test_later_in_place_operations_do_not_reach_back():
    """A module that doubles its input in place leaves the tapped layer before it alone."""

    class Doubled(nn.Module):
        def forward(self, values):
            return values.mul_(2)

    network = TappedNetwork(nn.Sequential(nn.Flatten(), nn.Identity(), Doubled()), {}, "net")
    images = torch.ones(1, 3, 2, 2)

    assert (network.features(images, ["1", "2"], "auto")["1"] == 1).all()


class Twice(nn.Module):
    """One ReLU before and after the bias."""

    def __init__(self):
        super().__init__()
        self.relu = nn.ReLU(inplace=True)
        self.end = nn.Identity()

    def forward(self, images):
        return self.end(self.relu(self.relu(images.flatten(1)) + 1))


def test_module_called_twice_has_a_number_for_each_call():
    """Alone and together; without a number it is refused, and the listing has both."""
    network = TappedNetwork(Twice(), {}, "net")
    images = -torch.ones(1, 3, 2, 2)
    for layers in (["relu:1"], ["relu:2"], ["relu:2", "end", "relu:1"]):
        values = network.features(images, layers, "auto")
        assert [float(values[layer].mean()) for layer in layers] == [float(layer != "relu:1") for layer in layers]
    with pytest.raises(BackboneError, match=r"'relu' of net gives 2 outputs.*relu:1 to relu:2"):
        network.features(images, ["relu"], "auto")
    with pytest.raises(BackboneError, match=r"'relu:3' of net is not reached.*has 2"):
        network.features(images, ["relu:3"], "auto")

    assert [row.name for row in network.listing(2)] == ["relu:1", "relu:2", "end"]


def test_one_module_at_several_places_of_a_sequence_is_found_at_each():
    """As torchvision's extractor of features finds it, and as it is listed."""
    from offshelf.backbone.torchvision_import import import_torchvision

    import_torchvision()
    from torchvision.models.feature_extraction import create_feature_extractor

    relu = nn.ReLU()
    module = nn.Sequential(nn.Conv2d(3, 8, 3, 2), relu, nn.Conv2d(8, 16, 3, 2), relu)
    network, images = TappedNetwork(module, {}, "net"), pictures(33)
    expected = create_feature_extractor(module, {"1": "1", "1_1": "3"})(images)

    assert [(row.name, row.shape[0]) for row in network.listing(33)] == [("0", 8), ("1", 8), ("2", 16), ("3", 16)]
    for layer, values in network.features(images, ["1", "3"], "avg").items():
        assert torch.allclose(values, expected[layer].mean((2, 3)), atol=1e-6)


def test_several_maps_have_a_number_each():
    """A module that gives branches of several resolutions has no single output."""

    class Branches(nn.Module):
        def forward(self, images):
            return [images, images[..., ::2, ::2]]

    network, images = TappedNetwork(nn.Sequential(Branches()), {}, "net"), pictures(8)
    with pytest.raises(BackboneError, match=r"gives 2 outputs.*0:1 to 0:2"):
        network.features(images, ["0"], "avg")
    values = network.features(images, ["0:1", "0:2"], "avg")

    assert torch.allclose(values["0:2"], images[..., ::2, ::2].mean((2, 3)), atol=1e-6)
    assert [row.name for row in network.listing(8)] == ["0:1", "0:2"]


def test_pass_ends_after_the_last_wanted_layer():
    """What follows is computed once, by the pass of one image that counts the calls."""
    passes = []

    class Count(nn.Module):
        def forward(self, values):
            passes.append(1)
            return values

    network = TappedNetwork(nn.Sequential(nn.Flatten(), Count()), {}, "net")
    for _ in range(3):
        network.features(torch.ones(1, 3, 2, 2), ["0"], "auto")

    assert len(passes) == 1


def test_photographs_are_recognised():
    """The network knows a daisy and a palace: ImageNet's classes 985, 698, 663, 442."""
    from sklearn.datasets import load_sample_images

    from offshelf.augmentation import View

    backbone = EfficientNetLite0()
    network, sees = backbone.load(), backbone.preprocessing()
    images = np.stack([View().apply(pixels, sees) for pixels in load_sample_images().images])
    images = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (sees.mean, sees.std))
    china, flower = network.features((images - mean) / std, ["logits"], "auto")["logits"].topk(5).indices.tolist()

    assert flower[0] == 985
    assert set(china) & {698, 663, 442}


def test_pixels_are_the_image():
    """Channels, rows, columns."""
    images = torch.rand(2, 3, 4, 4)

    assert torch.equal(Pixels(4).load().features(images, ["pixels"], "auto")["pixels"], images.flatten(1))


def test_unknown_layer_names_the_nearest():
    """With the way to list them."""
    with pytest.raises(BackboneError, match=r"did you mean 'layer4'.*`offshelf layers`"):
        Torchvision("resnet18", weights=None).load().features(pictures(32), ["layer4.00"], "auto")


@pytest.mark.parametrize("count", [2, 4, 5])  # four images of four tokens: shapes alone would not tell
def test_tokens_before_images(count):
    """Outputs [T, N, C] give a row an image."""

    class TokensFirst(nn.Module):
        def __init__(self):
            super().__init__()
            self.tokens = nn.Identity()

        def forward(self, images):
            return self.tokens(images.flatten(2).permute(2, 0, 1))

    images = pictures(2, count)
    network = TappedNetwork(TokensFirst(), {}, "net")

    assert torch.allclose(network.features(images, ["tokens"], "avg")["tokens"], images.mean((2, 3)))


def test_windows_are_refused():
    """A module that sees windows as a batch has no row an image."""
    network = Timm("swin_tiny_patch4_window7_224", weights=None).load()
    with pytest.raises(BackboneError, match="not one row per image"):
        network.features(pictures(224), ["layers.0.blocks.0.attn"], "avg")


def test_class_token_of_an_inner_module():
    """Found where a wrapper holds the tokens, as in Hugging Face's models; outputs in a mapping count."""

    class Embedding(nn.Module):
        def __init__(self):
            super().__init__()
            self.cls_token = nn.Parameter(torch.full((1, 1, 3), 7.0))

        def forward(self, images):
            patches = images.flatten(2).transpose(1, 2)
            return {"last_hidden_state": torch.cat([self.cls_token.expand(len(images), 1, 3), patches], 1)}

    network = TappedNetwork(nn.Sequential(Embedding()), {}, "net")
    images = pictures(4)

    assert (network.features(images, ["0"], "auto")["0"] == 7).all()
    assert torch.allclose(network.features(images, ["0"], "avg")["0"], images.mean((2, 3)), atol=1e-6)


def test_output_without_tensor_is_refused():
    """With the layer's name."""

    class Named(nn.Module):
        def forward(self, images):
            return "nothing"

    with pytest.raises(BackboneError, match="Layer '0' of net gives a str"):
        TappedNetwork(nn.Sequential(Named()), {}, "net").features(pictures(4), ["0"], "auto")


def test_layer_that_is_not_reached():
    """An auxiliary classifier, say."""
    with pytest.raises(BackboneError, match="'aux1' of googlenet is not reached"):
        Torchvision("googlenet", weights=None).load().features(pictures(64), ["aux1"], "auto")


def test_listing_has_curated_names_first():
    """With the shapes of one image's outputs."""
    rows = Tiny().load().listing((32, 32))

    assert [(row.name, row.module, row.shape) for row in rows[:2]] == [
        ("block1", "0", (8, 16, 16)),
        ("block2", "1", (16, 8, 8)),
    ]
    assert "0.0" in {row.name for row in rows}
