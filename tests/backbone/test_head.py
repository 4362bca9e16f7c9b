"""What a network's classifier sees: timm's own word, or what is computed, whatever was registered first."""

import pytest
import torch
from torch import nn

from offshelf.backbone import Timm
from offshelf.backbone.derived_layers import curate
from offshelf.backbone.head import heads
from offshelf.backbone.network import TappedNetwork


def trunk(width=8):
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, 2), nn.ReLU(), nn.Conv2d(4, width, 3, 2), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )


class HeadFirst(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(8, 5)
        self.body = trunk()

    def forward(self, images):
        return self.fc(self.body(images)).softmax(1)


class Residual(nn.Module):
    """Ends with an MLP and what goes around it, as blocks of transformers do: no classifier."""

    def __init__(self):
        super().__init__()
        self.body = trunk()
        self.fc = nn.Linear(8, 8)

    def forward(self, images):
        values = self.body(images)
        return values + self.fc(values)


class Normed(nn.Sequential):
    """A projection, then a norm: no classifier either."""

    def __init__(self):
        super().__init__(trunk(), nn.Linear(8, 5), nn.LayerNorm(5))


class TwoTasks(nn.Module):
    """Two classifiers that see the same."""

    def __init__(self):
        super().__init__()
        self.body = trunk()
        self.colour, self.shape = nn.Linear(8, 5), nn.Linear(8, 3)

    def forward(self, images):
        values = self.body(images)
        return {"colour": self.colour(values), "shape": self.shape(values)}


class TwoDepths(TwoTasks):
    """Two that do not."""

    def forward(self, images):
        values = self.body(images)
        return self.colour(values), self.shape(values.relu() + 1)


@pytest.mark.parametrize(
    ("make", "classifiers", "last"),
    [
        (HeadFirst, ["fc"], "input of fc"),
        (Residual, [], "fc"),
        (Normed, [], "2"),
        (TwoTasks, ["colour", "shape"], "input of colour"),
        (TwoDepths, ["colour", "shape"], "body.2"),
    ],
)
def test_classifiers_are_what_makes_the_output(make, classifiers, last):
    """In the order of a pass; several that see several things leave no single feature before them.

    Scores of classes are never the last layer.
    """
    layers = curate(make, (32, 32)).layers

    assert heads(make(), (32, 32)) == classifiers
    assert list(layers.values())[-1] == last


def test_head_registered_first_is_not_the_last_layer():
    """`layer=last` is what goes into it."""
    torch.manual_seed(0)
    module = HeadFirst().eval()
    layers = curate(HeadFirst, (32, 32)).layers
    images = torch.rand(2, 3, 32, 32)
    values = TappedNetwork(module, layers, "net").features(images, ["pre_logits"], "auto")["pre_logits"]

    assert list(layers)[-1] == "pre_logits"
    assert torch.allclose(values, module.body(images))


def test_layers_are_in_the_order_of_a_pass():
    """Not of registration."""

    class Crossed(nn.Module):
        def __init__(self):
            super().__init__()
            self.second = nn.Conv2d(4, 4, 3)
            self.first = nn.Conv2d(3, 4, 3)

        def forward(self, images):
            return self.second(self.first(images))

    assert list(curate(Crossed, (8, 8)).layers) == ["first", "second"]


@pytest.mark.parametrize(
    ("arch", "path"),
    [
        ("resnet18", "input of fc"),
        ("tresnet_m", "input of head.fc"),  # a stage of which has no name
        ("vit_tiny_patch16_224", "input of head"),
        ("swin_tiny_patch4_window7_224", "input of head.fc"),
        ("efficientvim_m1", "forward_head(pre_logits=True)"),
        ("deit_tiny_distilled_patch16_224", "forward_head(pre_logits=True)"),
        ("qwen3_vit_88m_enc", "forward_features()"),
    ],
)
def test_the_head_is_asked_where_the_classifier_does_not_see_it_all(arch, path):
    """Elsewhere features keep their place, and so their identity."""
    spec = Timm(arch, weights=None)

    assert spec.module_of(spec.layer_names()[-1]) == path
    assert "reading" not in Timm("resnet18", weights=None).identity()
