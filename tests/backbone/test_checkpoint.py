"""Checkpoints as trainers leave them: whole into the network, or one sentence with the way out; nothing executed."""

import argparse
import io
import logging
import tarfile
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from offshelf.backbone import Custom, Preprocessing, Torchvision
from offshelf.backbone.checkpoint import load_weights
from offshelf.errors import BackboneError


class Net(nn.Module):
    """Two convolutions, a norm and a classifier."""

    def __init__(self, classes=10):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())
        self.body = nn.Conv2d(4, 8, 3)
        self.fc = nn.Linear(8, classes)

    def forward(self, images):
        """Class scores."""
        return self.fc(self.body(self.stem(images)).mean((2, 3)))


def weights(seed=1, head=True):
    """A state dict that no other network has."""
    torch.manual_seed(seed)
    state = Net().state_dict()
    return OrderedDict((name, value) for name, value in state.items() if head or not name.startswith("fc."))


TRUE = weights()
TRUNK = weights(head=False)
OTHER = weights(2, head=False)


def under(prefix, named=TRUE):
    """With a prefix before every name."""
    return {prefix + name: value for name, value in named.items()}


FITTING = {
    "plain": TRUE,
    "DDP": under("module."),
    "compiled": under("_orig_mod."),
    "compiled in DDP": under("module._orig_mod."),
    "a compiled part": {name.replace("stem.", "stem._orig_mod."): value for name, value in TRUE.items()},
    "FSDP": {name.replace("body.", "_fsdp_wrapped_module.body."): value for name, value in TRUE.items()},
    "Lightning": {"state_dict": under("model."), "epoch": 3, "hyper_parameters": {"lr": 0.1}},
    "Lightning, another name": {"state_dict": under("my_net.")},
    "Lightning with a loss": {"state_dict": under("model.") | {"loss.weight": torch.ones(10)}},
    "two keys": {"model": {"state_dict": TRUE}},
    "AveragedModel": under("module.") | {"n_averaged": torch.tensor(5)},
    "AveragedModel, unwrapped": TRUE | {"n_averaged": torch.tensor(5)},
    "equal twice": {"state_dict": TRUE, "state_dict_ema": TRUE},
    "MoCo": {"state_dict": under("module.encoder_q.", TRUNK) | {"module.queue": torch.ones(128, 9)}},
    "DINO": {"teacher": under("backbone.", TRUNK) | {"head.mlp.0.weight": torch.ones(3, 3)}, "epoch": 9},
    "an optimizer beside": {"model": TRUE, "optimizer": {"state": {0: {"exp_avg": torch.ones(4)}}, "param_groups": []}},
    "half": {name: value.half() if value.is_floating_point() else value for name, value in TRUE.items()},
    "without counters": {name: value for name, value in TRUE.items() if "num_batches" not in name},
}


@pytest.mark.parametrize("what", FITTING)
def test_wrappers_are_taken_off(what, tmp_path, caplog):
    """The trunk's tensors are the file's to the last bit; what was taken is said where it was not plain."""
    caplog.set_level(logging.INFO)
    torch.save(FITTING[what], tmp_path / "net.pth")
    module = Net(7)
    load_weights(module, tmp_path / "net.pth")

    for name, value in TRUNK.items():
        if "num_batches" not in name:
            expected = value.half().float() if what == "half" else value
            assert torch.equal(module.state_dict()[name], expected), name
    assert "has no classifier that fits" in caplog.text
    assert ("tensors under the" in caplog.text) == (what not in UNWRAPPED)


UNWRAPPED = ("plain", "compiled", "a compiled part", "FSDP", "half", "without counters", "AveragedModel, unwrapped")

ASKED = {
    "checkpoint_key=state_dict or backbone.checkpoint_key=state_dict_ema": {
        "state_dict": TRUNK,
        "state_dict_ema": OTHER,
    },
    "checkpoint_key=student or backbone.checkpoint_key=teacher": {
        "student": under("module.backbone.", TRUNK),
        "teacher": under("backbone.", OTHER),
    },
    r"checkpoint_prefix=module\.encoder_q\. or backbone\.checkpoint_prefix=module\.encoder_k\.": {
        "state_dict": under("module.encoder_q.", TRUNK) | under("module.encoder_k.", OTHER)
    },
}


@pytest.mark.parametrize("choices", ASKED)
def test_of_several_that_fit_one_is_asked_for(choices, tmp_path):
    """The candidates are named; with the option each can be had."""
    path = tmp_path / "net.pth"
    torch.save(ASKED[choices], path)
    with pytest.raises(
        BackboneError, match=f"holds 2 different sets of weights that fit; choose one: backbone.{choices}"
    ):
        load_weights(Net(), path)
    for words, true in zip(choices.replace("\\", "").split(" or "), (TRUNK, OTHER), strict=True):
        option, _, value = words.partition("=")
        module = Net()
        load_weights(module, path, **{option.rpartition("checkpoint_")[2]: value})
        assert torch.equal(module.state_dict()["body.weight"], true["body.weight"])


MISFITS = {
    "1 missing \\(body.bias\\)": {name: value for name, value in TRUE.items() if name != "body.bias"},
    "1 unknown \\(extra.weight\\)": TRUE | {"extra.weight": torch.ones(3)},
    r"1 of another shape \(body.weight: 8 x 4 x 5 x 5 for 8 x 4 x 3 x 3\)": TRUE
    | {"body.weight": torch.ones(8, 4, 5, 5)},
    "no name matches the network's. The file has a, b, …; the network has stem.0.weight": {
        "a": torch.ones(2),
        "b": torch.ones(2),
    },
    "holds no state dict.*It holds: optimizer, epoch": {"optimizer": {"state": {}, "param_groups": []}, "epoch": 1},
    r"quantised \(body.weight is torch.int8\)": TRUE | {"body.weight": torch.ones(8, 4, 3, 3, dtype=torch.int8)},
    "under the prefix 'net.', do not fit.*1 missing": {
        f"net.{name}": v for name, v in TRUE.items() if name != "body.bias"
    },
    "holds no state dict": [TRUE],
}


@pytest.mark.parametrize("said", MISFITS)
def test_nothing_is_loaded_in_part(said, tmp_path):
    """What does not fit is named, and the network stays as it was."""
    torch.save(MISFITS[said], tmp_path / "net.pth")
    module = Net()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    with pytest.raises(BackboneError, match=said):
        load_weights(module, tmp_path / "net.pth")
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_options_that_name_nothing(tmp_path):
    """The key's rivals are listed, the prefix is repeated."""
    torch.save({"state_dict": TRUE, "ema": OTHER}, tmp_path / "net.pth")
    with pytest.raises(
        BackboneError, match=r"no state dict under backbone.checkpoint_key=emma; it has: state_dict, ema"
    ):
        load_weights(Net(), tmp_path / "net.pth", key="emma")
    with pytest.raises(BackboneError, match=r"no name matches the network's under backbone.checkpoint_prefix=net."):
        load_weights(Net(), tmp_path / "net.pth", prefix="net.")


def script_archive(path):
    """A TorchScript file."""
    torch.jit.script(nn.Sequential(nn.Conv2d(3, 4, 3))).save(str(path))


def saved(content):
    """A writer of a PyTorch file."""
    return lambda path: torch.save(content, path)


def cut(path):
    """A PyTorch file that was not copied to its end."""
    torch.save(TRUE, path)
    path.write_bytes(path.read_bytes()[:-300])


def cut_safetensors(path):
    """The same of safetensors."""
    safetensors.torch.save_file(TRUE, path)
    path.write_bytes(path.read_bytes()[:-30])


def archive(path):
    """A ZIP of something else."""
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("readme.txt", "weights elsewhere")


def compressed(path):
    """A tar.gz."""
    with tarfile.open(path, "w:gz") as file:
        info = tarfile.TarInfo("net.pth")
        file.addfile(info, io.BytesIO(b""))


FILES = {
    "is a Git LFS pointer.*git lfs pull": lambda p: p.write_text("version https://git-lfs.github.com/spec/v1\noid"),
    "is a web page.*download it again": lambda p: p.write_text("\n<!DOCTYPE html><html>404</html>"),
    "is a web page.*again": lambda p: p.write_text("<HTML><head>"),
    "is empty": lambda p: p.write_bytes(b""),
    "is a folder; a file is expected. It holds model.safetensors": lambda p: (
        p.mkdir(),
        (p / "model.safetensors").touch(),
    ),
    "is truncated or damaged": cut,
    "is truncated": cut_safetensors,
    "is a TorchScript archive": script_archive,
    "is a ZIP archive of other files": archive,
    "is NumPy's .npz": lambda p: np.savez(p.open("wb"), a=np.ones(3)),
    "is compressed by gzip": compressed,
    "is HDF5, as Keras": lambda p: p.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100)),
    "holds a numpy.*scalar.*weights_only=False": saved({"state_dict": TRUE, "best": np.float64(0.9)}),
    "holds a argparse.Namespace": saved({"state_dict": TRUE, "args": argparse.Namespace(lr=0.1)}),
    "not a plain state dict": lambda p: p.write_bytes(b"no checkpoint"),
    "No such file": lambda p: None,
}


@pytest.mark.parametrize("said", FILES)
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning", "ignore:unclosed file:ResourceWarning")
def test_files_that_are_no_weights(said, tmp_path):
    """One sentence that names the file, whatever it is called."""
    path = tmp_path / "net.pth"
    FILES[said](path)
    with pytest.raises(BackboneError, match=f"net.pth.*{said}") as error:
        load_weights(Net(), path)
    assert "\n" not in str(error.value)


def test_files_are_told_by_their_content(tmp_path):
    """safetensors called .pth, and PyTorch's called .safetensors; both formats of PyTorch."""
    safetensors.torch.save_file(TRUE, tmp_path / "a.pth")
    torch.save(TRUE, tmp_path / "b.safetensors")
    torch.save(TRUE, tmp_path / "c.bin", _use_new_zipfile_serialization=False)
    for name in ("a.pth", "b.safetensors", "c.bin"):
        module = Net()
        load_weights(module, tmp_path / name)
        assert torch.equal(module.state_dict()["fc.weight"], TRUE["fc.weight"]), name


@pytest.mark.slow
def test_every_backbone_takes_the_options(tmp_path, monkeypatch):
    """A network of one's own, and torchvision's."""
    tensors = Torchvision("resnet18", weights=None, seed=4).load().module.state_dict()
    torch.save(
        {"a": under("x.", tensors), "b": {f"y.{name}": value + 1 for name, value in tensors.items()}},
        tmp_path / "r.pth",
    )
    spec = Torchvision("resnet18", weights=str(tmp_path / "r.pth"), checkpoint_key="a")
    assert torch.equal(spec.load().module.conv1.weight, tensors["conv1.weight"])

    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own_checkpoint_net.py").write_text(
        "from torch import nn\ndef net(): return nn.Sequential(nn.Conv2d(3, 4, 3))\n"
    )
    torch.save(
        {"q.0.weight": torch.ones(4, 3, 3, 3), "q.0.bias": torch.ones(4)}
        | {"k.0.weight": torch.zeros(4, 3, 3, 3), "k.0.bias": torch.zeros(4)},
        tmp_path / "own.pth",
    )
    own = Custom(
        "own_checkpoint_net.net", weights=str(tmp_path / "own.pth"), sees=Preprocessing(16, 16), checkpoint_prefix="k."
    )
    assert not own.load().module[0].weight.any()
