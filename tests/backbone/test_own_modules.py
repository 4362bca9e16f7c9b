"""Modules of one's own in all the forms that people have them: they work, or one sentence says why not."""

import sys

import numpy as np
import pytest
import torch

from offshelf.augmentation import center, multi_scale
from offshelf.backbone import Custom, Preprocessing, layer_table
from offshelf.dataset import ImageArray
from offshelf.errors import BackboneError
from offshelf.extractor import Extractor, Request, get_or_extract
from offshelf.store import MemoryStore

SOURCE = """
import sys
import torch
from collections import namedtuple, OrderedDict
from torch import nn

class Two(nn.Sequential):
    def __init__(self, width=8):
        super().__init__(nn.Conv2d(3, width, 3, 4), nn.Conv2d(width, 16, 3, 2))

class Half(Two):
    def __init__(self):
        super().__init__()
        self.half()

class Double(Two):
    def __init__(self):
        super().__init__()
        self.double()

class Grey(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(1, 8, 3, 4), nn.Conv2d(8, 16, 3, 2))

class TrainReturnsNothing(Two):
    def train(self, mode=True):
        super().train(mode)

class NeverEvaluates(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(3, 8, 3, 4), nn.Dropout(0.5), nn.Conv2d(8, 16, 3, 2))
    def train(self, mode=True):
        return super().train(True)

class FixedSize(Two):
    def forward(self, x):
        assert x.shape[-1] == 64, "Input height doesn't match model (64)"
        return super().forward(x)

class Lazy(nn.Sequential):
    def __init__(self):
        super().__init__(nn.LazyConv2d(8, 3, 4), nn.Flatten(), nn.LazyLinear(5))

class NoParameters(nn.Sequential):
    def __init__(self):
        super().__init__(nn.AvgPool2d(4), nn.ReLU())

class GivesDictionary(Two):
    def forward(self, x):
        return OrderedDict(out=super().forward(x), aux=None)

class GivesTuple(Two):
    def forward(self, x):
        return super().forward(x), None

class NeedsTwo(Two):
    def forward(self, x, mask):
        return super().forward(x) * mask

class OnMeta(Two):
    def __init__(self):
        super().__init__()
        self.to("meta")

class Exits(Two):
    def __init__(self):
        sys.exit(0)

class ExitsLater(Two):
    def forward(self, x):
        if x.shape[0] == 4:
            sys.exit(0)
        return super().forward(x)

class WritesIntoItsInput(Two):
    def forward(self, x):
        return super().forward(x.mul_(2))

def compiled():
    return torch.compile(Two())

def parallel():
    return nn.DataParallel(Two())

def scripted():
    return torch.jit.script(nn.Sequential(nn.Conv2d(3, 8, 3, 4), nn.Conv2d(8, 16, 3, 4)))

def a_class():
    return Two

def nothing():
    return None
"""
BROKEN = "from torch import nn\nclass Net(nn.Module:\n"
IMPORTS = "import a_package_that_is_not_installed\n"


@pytest.fixture(autouse=True)
def own(tmp_path, monkeypatch):
    """The modules, importable."""
    monkeypatch.syspath_prepend(tmp_path)
    for name, text in (("own_forms", SOURCE), ("own_broken", BROKEN), ("own_imports", IMPORTS)):
        (tmp_path / f"{name}.py").write_text(text)
    yield
    for name in ("own_forms", "own_broken", "own_imports"):
        sys.modules.pop(name, None)


def extract(name, layer="last", side=64, views=None, **kwargs):
    """Features of five images through a network of the forms."""
    spec = Custom(f"own_forms.{name}", kwargs, sees=Preprocessing(side, side))
    random = np.random.default_rng(0)
    images = [ImageArray(random.integers(0, 256, (70, 70, 3), np.uint8)) for _ in range(5)]
    layer = spec.layer_names()[-1] if layer == "last" else layer
    request = Request(spec, (layer,), "avg", views or center().views)
    return get_or_extract(MemoryStore(), Extractor(device="cpu", batch_size=4), images, request).values[layer][:, 0]


WORK = ("Two", "Half", "Double", "TrainReturnsNothing", "NeverEvaluates", "GivesDictionary", "GivesTuple", "Lazy")


@pytest.mark.filterwarnings("ignore:Lazy modules:UserWarning", "ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.parametrize(
    "name", [*WORK, "WritesIntoItsInput", pytest.param("compiled", marks=pytest.mark.soak), "parallel"]
)
def test_forms_that_work(name, caplog):
    """And give the same twice, in float32."""
    first, second = extract(name), extract(name)

    assert first.dtype == np.float32
    assert np.array_equal(first, second)
    assert np.isfinite(first).all()
    assert (first[0] != first[1]).any()
    if name in ("Half", "Double"):
        assert f"has values in torch.float{16 if name == 'Half' else 64}" in caplog.text


def test_half_precision_is_computed_in_float32():
    """The numbers are those of the same weights in float32."""
    from importlib import import_module

    spec = Custom("own_forms.Half", sees=Preprocessing(64, 64))
    module = spec.load().module
    torch.manual_seed(0)
    plain = import_module("own_forms").Two().half().float()

    assert all(torch.equal(value, plain.state_dict()[name]) for name, value in module.state_dict().items())
    assert {value.dtype for value in module.state_dict().values()} == {torch.float32}


def test_a_network_without_parameters():
    """A layer of it can be named."""
    assert extract("NoParameters", layer="0").shape == (5, 3)


REFUSED = {
    "Grey": r"Grey does not take an image of 64 x 64 pixels in three channels|failed on a batch.*1 channels",
    "NeedsTwo": "missing 1 required positional argument: 'mask'",
    "OnMeta": "has no values yet",
    "Exits": r"could not be built.*SystemExit: 0 \(own_forms.py, line \d+\)",
    "ExitsLater": r"ExitsLater failed on a batch of 4 squares of 64 pixels: SystemExit: 0 \(own_forms.py, line \d+\)",
    "scripted": "makes a TorchScript module.*make the nn.Module itself",
    "a_class": "makes a type; an nn.Module was expected",
    "nothing": "makes a NoneType",
    "NoSuchClass": "has no attribute 'NoSuchClass'",
}


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.parametrize("name", REFUSED)
def test_forms_that_cannot_work(name):
    """One sentence."""
    with pytest.raises(BackboneError, match=REFUSED[name]) as error:
        extract(name, layer="0" if name == "Grey" else "last")
    assert "\n" not in str(error.value)


def test_wrong_arguments():
    """They are named."""
    with pytest.raises(BackboneError, match=r"could not be built with \{'wdth': 3\}: TypeError.*'wdth'"):
        extract("Two", wdth=3)


def test_a_network_of_one_size():
    """The way out is in the sentence, for its own size and for views at another scale."""
    assert extract("FixedSize", side=64).shape == (5, 16)
    with pytest.raises(BackboneError, match=r"does not take an image of 32 x 32.*Input height.*backbone.sees.crop=64"):
        extract("FixedSize", side=32)
    with pytest.raises(BackboneError, match=r"cannot see squares of 91 pixels.*trained on 64"):
        extract("FixedSize", side=64, views=multi_scale().views)


@pytest.mark.parametrize("name", ["Grey", "FixedSize", "NeedsTwo"])
def test_listing_layers_of_what_fails(name):
    """A sentence, as when they are extracted."""
    with pytest.raises(BackboneError, match=r"does not take|failed"):
        layer_table(Custom(f"own_forms.{name}", sees=Preprocessing(32, 32)))


@pytest.mark.parametrize(("module", "said"), [("own_broken", "SyntaxError"), ("own_imports", "a_package_that_is_not")])
def test_sources_that_cannot_be_imported(module, said):
    """Why, in one sentence."""
    with pytest.raises(BackboneError, match=said):
        Custom(f"{module}.Net").load()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"crop": 0}, "crop must be a number of pixels of at least 1"),
        ({"crop": 2.5}, "crop must be a number of pixels"),
        ({"mean": [0.5]}, r"mean must be one number for each of red, green and blue"),
        ({"mean": 0.5}, r"mean must be one number for each"),
        ({"std": [1, 0, 1]}, "std is a divisor and must be above 0"),
        ({"std": [1, float("nan"), 1]}, "std must be one number"),
        ({"interpolation": "cubic"}, "interpolation must be one of nearest, bilinear, bicubic, lanczos"),
        ({"men": [0, 0, 0]}, "no key 'men'; did you mean 'mean'"),
    ],
)
def test_what_it_sees_is_checked(given, said):
    """As a config gives it, by key."""
    with pytest.raises(BackboneError, match=said):
        Custom("own_forms.Two", sees=given)


def test_whole_numbers_are_numbers():
    """0 and 0.0 are the same mean, and so the same features."""
    assert Preprocessing(mean=[0, 0, 0]) == Preprocessing(mean=(0.0, 0.0, 0.0))
    assert hash(Custom("own_forms.Two", sees={"mean": [0, 0, 0]}))
