"""Specs: cheap, total in identity, clear when something is not there."""

import logging
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError
from torch import nn

from offshelf.backbone import (
    Custom,
    EfficientNetLite0,
    OverFeat,
    Pixels,
    Timm,
    Tiny,
    TorchHub,
    Torchvision,
    layer_table,
    select_layers,
)
from offshelf.backbone.checkpoint import load_tensors
from offshelf.backbone.download import hugging_face_file
from offshelf.backbone.head import heads
from offshelf.backbone.preprocessing import Preprocessing
from offshelf.errors import BackboneError
from offshelf.identity import digest, file_digest


def test_default_spec_imports_no_torch():
    """Name, preprocessing, identity and layers come without torch, where a network is described in the package."""
    code = """
        import sys
        from offshelf.backbone import EfficientNetLite0, OverFeat, Pixels
        for spec in (EfficientNetLite0(), OverFeat('accurate', None), Pixels()):
            spec.name, spec.preprocessing(), spec.identity(), spec.layer_names()
        assert "torch" not in sys.modules and "timm" not in sys.modules
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)


@pytest.mark.parametrize(
    ("asked", "chosen"),
    [
        ("all", ("a", "b.0", "b.1", "c")),
        ("last", ("c",)),
        ("b.*", ("b.0", "b.1")),
        (["c", "a", "c"], ("a", "c")),
        (["last", "b.?"], ("b.0", "b.1", "c")),
        ("x.y.z", ("x.y.z",)),
        ("b", ("b",)),
        ("relu", ("relu",)),
        (22, ("22",)),
        ([22, "c", 1], ("c", "22", "1")),
    ],
)
def test_select_layers(asked, chosen):
    """Names, lists, patterns, in the network's order, none twice."""
    assert select_layers(asked, ["a", "b.0", "b.1", "c"], "net") == chosen


@pytest.mark.parametrize("asked", ["layr4", "z*", []])
def test_select_layers_refuses(asked):
    """What matches nothing, before a network is built."""
    with pytest.raises(BackboneError, match="net"):
        select_layers(asked, ["conv1", "layer4"], "net")


def test_every_listed_layer_can_be_asked_for():
    """Modules with a plain name included: `logits` of the default backbone, which is not among `all`."""
    backbone = EfficientNetLite0()
    for name in {"logits", "stem", "conv_stem", *(row.name for row in layer_table(Tiny()) if row.name[0] == "0")}:
        assert select_layers(name, backbone.layer_names(), backbone.name) == (name,)


def test_identity_of_random_weights_is_their_seed():
    """And the architecture."""
    plain = Torchvision("resnet18", weights=None)
    others = [replace(plain, seed=1), replace(plain, arch="resnet34"), Tiny(), Tiny(1), Pixels(), Pixels(8)]
    others += [OverFeat("fast", None), OverFeat("fast", None, seed=1), OverFeat("accurate", None)]

    assert len({digest(spec.identity()) for spec in [plain, *others]}) == 10


def test_names_of_layers_are_no_identity():
    """An alias is a word, not a number."""
    plain = Torchvision("resnet18", weights=None)
    named = Torchvision("resnet18", weights=None, layers={"end": "layer4"})

    assert digest(plain.identity()) == digest(named.identity())
    assert named.module_of("end") == "layer4"


def test_local_checkpoint(tmp_path):
    """Loaded by name, wrapped or not; another classifier's size does not matter; the digest is the file's."""
    model = Torchvision("resnet18", weights=None, seed=5).load().module
    tensors = {f"module.{name}": value for name, value in model.state_dict().items()}
    tensors["module.fc.weight"], tensors["module.fc.bias"] = torch.zeros(7, 512), torch.zeros(7)
    torch.save({"state_dict": tensors, "epoch": 3}, tmp_path / "mine.pth")
    spec = Torchvision("resnet18", weights=str(tmp_path / "mine.pth"))
    images = torch.rand(1, 3, 64, 64)

    expected = last_block(Torchvision("resnet18", weights=None, seed=5), images)
    assert torch.equal(last_block(spec, images), expected)
    assert spec.identity()["weights"] != Torchvision("resnet18", weights=None).identity()["weights"]


def last_block(spec, images):
    """Last block's features."""
    return spec.load().features(images, ["layer4"], "avg")["layer4"]


def test_checkpoint_of_another_architecture(tmp_path):
    """Says what is missing."""
    torch.save(Torchvision("resnet18", weights=None).load().module.state_dict(), tmp_path / "r18.pth")
    with pytest.raises(BackboneError, match=r"do not fit.*missing"):
        Torchvision("resnet34", weights=str(tmp_path / "r18.pth")).load()


@pytest.mark.parametrize("asked", ["all", "last"])
def test_a_network_without_curated_layers(asked):
    """Its modules can be named."""
    assert select_layers("features.4", [], "Net") == ("features.4",)
    with pytest.raises(BackboneError, match=rf"architecture of Net has no layers that layer={asked}"):
        select_layers(asked, [], "Net")


@pytest.mark.slow
@pytest.mark.parametrize(
    "spec", [Timm("deit_tiny_distilled_patch16_224", weights=None), Torchvision("squeezenet1_1", weights=None)]
)
def test_checkpoint_with_other_classes(spec, caplog):
    """Any kind of classifier may have another size, and says so."""
    module = spec.load().module
    tensors = {name: value[:7] if name in head_of(module) else value for name, value in module.state_dict().items()}
    load_tensors(module, tensors, Path("mine.pth"))

    assert "mine.pth has no classifier that fits" in caplog.text


def head_of(module):
    """Names of the classifier's tensors."""
    return {f"{path}.{name}" for path in heads(module) for name in ("weight", "bias")}


def test_network_without_classifier_must_be_whole():
    """A last convolution is no classifier: without it in the file, it would be random."""
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3))
    tensors = {name: value for name, value in module.state_dict().items() if not name.startswith("1.")}
    with pytest.raises(BackboneError, match=r"2 missing \(1.weight, 1.bias\)"):
        load_tensors(module, tensors, Path("mine.pth"))


class Bomb:
    """Leaves a file behind when it is unpickled."""

    def __reduce__(self):
        return exec, ("open('executed', 'w').close()",)


def test_checkpoint_that_executes_code_is_refused(tmp_path, monkeypatch):
    """Nothing is executed."""
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": Bomb()}, "bomb.pth")
    with pytest.raises(BackboneError, match="not a plain state dict"):
        Torchvision("resnet18", weights="bomb.pth").load()

    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("content", [b"", b"no checkpoint"])
def test_damaged_checkpoint(tmp_path, content):
    """A sentence with the file."""
    (tmp_path / "bad.pth").write_bytes(content)
    with pytest.raises(BackboneError, match=r"bad\.pth"):
        Torchvision("resnet18", weights=str(tmp_path / "bad.pth")).load()


def test_missing_checkpoint():
    """Known before anything is built."""
    with pytest.raises(BackboneError, match=r"/no/where\.pth.*No such file"):
        Torchvision("resnet18", weights="/no/where.pth").identity()


@pytest.mark.parametrize(
    ("spec", "hint"),
    [
        (Torchvision("resnt50", weights=None), "resnet50"),
        (Timm("vit_tiny_patch16_22", weights=None), "vit_tiny_patch16_224"),
        (Torchvision("resnet18", weights="IMAGENET1K_V9"), "IMAGENET1K_V1"),
    ],
)
def test_unknown_names(spec, hint):
    """The nearest is named."""
    with pytest.raises(BackboneError, match=hint):
        spec.preprocessing()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spec", "some", "last"),
    [
        (Torchvision("regnet_y_400mf", weights=None), "trunk_output.block1", "pre_logits"),
        (Torchvision("squeezenet1_1", weights=None), "features.3", "pre_logits"),
        (Torchvision("resnet18", weights=None), "layer1", "pre_logits"),
        (Torchvision("vit_h_14", weights=None), "encoder.layers.encoder_layer_31", "pre_logits"),
        (Timm("resnet18", weights=None), "layer1", "pre_logits"),
        (Timm("vit_small_patch14_dinov2", weights=None), "blocks.11", "pre_logits"),
        (Timm("coat_tiny", weights=None), "serial_blocks1.0", "pre_logits"),
        (Timm("twins_svt_small", weights=None), "blocks.0.0", "pre_logits"),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_layers_are_found_in_the_architecture(spec, some, last):
    """From input to output; the last is what the classifier sees."""
    names = spec.layer_names()

    assert some in names
    assert names[-1] == last
    assert len(names) >= 4


@pytest.mark.slow
def test_timm_loads_the_file_that_is_its_identity(tmp_path, monkeypatch):
    """From the cache, without asking the network, at another size too."""
    import safetensors.torch

    plain = Timm("vit_tiny_patch16_224", weights=None, seed=3)
    file = tmp_path / "model.safetensors"
    safetensors.torch.save_file(plain.load().module.state_dict(), file)
    monkeypatch.setattr("offshelf.backbone.timm.hugging_face_file", lambda *_: file)
    spec = replace(plain, weights="pretrained", seed=0)
    images = torch.rand(1, 3, 224, 224)

    assert spec.identity()["weights"] == file_digest(file)
    expected = plain.load().features(images, ["blocks.3"], "auto")["blocks.3"]
    assert torch.equal(spec.load().features(images, ["blocks.3"], "auto")["blocks.3"], expected)
    small = replace(spec, img_size=112)
    assert small.preprocessing().crop == 112
    assert small.load().features(images[..., ::2, ::2], ["blocks.3"], "auto")["blocks.3"].shape == (1, 192)
    assert digest(small.identity()) != digest(spec.identity())


@pytest.mark.parametrize(
    ("error", "asked"),
    [
        (LocalEntryNotFoundError("no connection"), ["model.safetensors"]),
        (EntryNotFoundError("404"), ["model.safetensors", "pytorch_model.bin"]),
    ],
)
def test_weights_that_cannot_be_downloaded(error, asked, monkeypatch, caplog):
    """One sentence, without the hub's lines on its tries; an older file is asked for where a newer one is missing."""
    seen = []

    def download(repository, file):
        seen.append(file)
        logging.getLogger("huggingface_hub.utils._http").warning("'%s' thrown while requesting HEAD", error)
        raise error

    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: None)

    with pytest.raises(BackboneError, match=r"model\.safetensors of owner/model\. Connect once"):
        hugging_face_file("owner/model", None, "model")
    assert seen == asked
    assert not caplog.records


def test_published_weights_may_see_larger_images():
    """The architecture is built for them."""
    spec = Torchvision("vit_b_16", weights="IMAGENET1K_SWAG_E2E_V1")

    assert spec.preprocessing().crop == 384
    assert "pre_logits" in spec.layer_names()


def test_layers_are_listed_without_weights(monkeypatch):
    """Nothing is downloaded to look at shapes."""
    monkeypatch.setattr("offshelf.backbone.torchvision.hub_file", lambda *_: pytest.fail("downloads"))
    rows = layer_table(Torchvision("resnet18"))

    assert {row.name: row.shape for row in rows}["layer4"] == (512, 7, 7)


def test_offline_weights_say_where_to_place_them(tmp_path, monkeypatch):
    """No connection: the file's name and folder."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))

    def refuse(url, path, digest):
        raise OSError("no route to host")

    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    with pytest.raises(BackboneError, match=r"resnet18-f37072fd\.pth.*no route.*place the file at"):
        Torchvision("resnet18").identity()


NET = """
from torch import nn

class Small(nn.Sequential):
    def __init__(self, width=4):
        super().__init__(nn.Conv2d(3, width, 3, 2), nn.ReLU(), nn.Conv2d(width, 2 * width, 3, 2), nn.ReLU())

def nothing():
    return 3
"""


def test_own_module(tmp_path, monkeypatch):
    """Found from the working directory; its source is part of its identity."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "my_small_nets.py").write_text(NET)
    spec = Custom("my_small_nets.Small", kwargs={"width": 6}, sees=Preprocessing(32, 32))
    before = digest(spec.identity())

    assert spec.layer_names() == ("0", "2")
    assert spec.load().features(torch.rand(1, 3, 32, 32), ["2"], "avg")["2"].shape == (1, 12)
    (tmp_path / "my_small_nets.py").write_text(NET + "# edited")
    assert digest(spec.identity()) != before


@pytest.mark.parametrize("module", ["no_such_module.Net", "Net", "my_other_nets.Nothing", "my_other_nets.nothing"])
def test_own_module_that_cannot_be_had(module, tmp_path, monkeypatch):
    """Missing module, missing class, or no nn.Module."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "my_other_nets.py").write_text(NET)
    with pytest.raises(BackboneError, match=module):
        Custom(module).load()


def test_hub_repository(tmp_path):
    """A local repository's model, with weights from a file."""
    (tmp_path / "hubconf.py").write_text(
        "dependencies = ['torch']\n" + NET + "def small(pretrained=True): return Small()"
    )
    torch.save(dict(state_of_small(tmp_path)), tmp_path / "small.pth")
    spec = TorchHub(str(tmp_path), "small", str(tmp_path / "small.pth"), {"end": "3"}, source="local")

    assert spec.load().features(torch.ones(1, 3, 32, 32), ["end"], "avg")["end"].shape == (1, 8)
    with pytest.raises(BackboneError, match="could not build 'large'"):
        replace(spec, model="large").load()


def state_of_small(folder):
    """State dict of the repository's module."""
    return TorchHub(str(folder), "small", None, {"end": "3"}, source="local").load().module.state_dict()


def test_lite0_identity_is_the_weights_file():
    """The digest starts with the file's published checksum."""
    assert EfficientNetLite0().identity()["weights"].startswith("57934424")
