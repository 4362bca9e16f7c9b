"""Files that a network reads without Python opening them, and what other programs tell it: each is noticed."""

import hashlib
import sqlite3
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from own_package import SEES
from torch import nn

from offshelf.backbone import Custom, origin
from offshelf.identity import digest

pytestmark = pytest.mark.usefixtures("own_modules")

NET = """
from torch import nn, full
{imports}

class Net(nn.Module):
    def __init__(self, folder="."):
        super().__init__()
        self.scale = nn.Parameter(full((1, 3, 1, 1), {read}))
    def forward(self, x):
        return x * self.scale
"""

READERS = {
    "a TorchScript archive": ("import torch", "float(torch.jit.load(f'{folder}/kept').bias.detach())"),
    "a database": (
        "import sqlite3",
        "sqlite3.connect(f'{folder}/kept').execute('select value from kept').fetchone()[0]",
    ),
    "another program": ("import subprocess", "float(subprocess.check_output(['cat', f'{folder}/kept']))"),
    "a compiled package": ("import cv2", "float(cv2.imread(f'{folder}/kept')[0, 0, 0])"),
}


def keep(path, kind, value):
    """Write a number as a reader expects it."""
    path.unlink(missing_ok=True)
    if kind == "a TorchScript archive":
        module = nn.Linear(1, 1)
        nn.init.constant_(module.bias, value)
        torch.jit.save(torch.jit.trace(module, torch.zeros(1, 1)), str(path))
    elif kind == "a database":
        with sqlite3.connect(path) as connection:
            connection.execute("create table kept (value real)")
            connection.execute("insert into kept values (?)", [value])
        connection.close()
    elif kind == "another program":
        path.write_text(str(value))
    else:
        cv2 = pytest.importorskip("cv2")
        path.write_bytes(cv2.imencode(".png", np.full((2, 2, 3), int(value), np.uint8))[1].tobytes())


def key(**kwargs):
    """The network's, as another process finds it."""
    origin._built.clear()
    return digest(Custom("own.Net", kwargs, sees=SEES, layers={"end": ""}).identity())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
@pytest.mark.parametrize("kind", READERS)
def test_what_is_read_unseen_counts(kind, tmp_path):
    imports, read = READERS[kind]
    (tmp_path / "own.py").write_text(NET.format(imports=imports, read=read))
    keep(tmp_path / "kept", kind, 2.0)
    before = key()
    assert key() == before
    keep(tmp_path / "kept", kind, 3.0)
    assert key() != before


def test_a_file_that_an_argument_names_counts(tmp_path):
    """Also one deep in the arguments, of which nobody knows who reads it."""
    (tmp_path / "own.py").write_text(NET.format(imports="", read="1.0"))
    (tmp_path / "kept").write_text("2")
    before = key(folder={"files": ["kept"]})
    (tmp_path / "kept").write_text("3")
    assert key(folder={"files": ["kept"]}) != before


CACHE = "numpy.load(kept('kept' + '.npy')).item()"
MAKE = """
import numpy
from pathlib import Path

def kept(name):
    if not Path(name).exists():
        numpy.save(name, 2.0)
    return name
"""


def test_a_cache_that_the_network_has_filled_counts(tmp_path):
    """By the same key before and after it was filled."""
    (tmp_path / "own.py").write_text(NET.format(imports=MAKE, read=CACHE))
    before = key()
    assert key() == before
    np.save(tmp_path / "kept.npy", 3.0)
    assert key() != before


def test_a_file_that_each_build_makes_does_not_count(tmp_path):
    made = MAKE.replace("if not Path(name).exists():", "if True:")
    (tmp_path / "own.py").write_text(NET.format(imports=made, read=CACHE))
    before = key()
    np.save(tmp_path / "kept.npy", 3.0)
    assert key() == before


@pytest.mark.slow
@pytest.mark.parametrize("is_installed", [True, False], ids=["installed", "in a folder"])
def test_a_package_that_changes_within_its_release_counts(is_installed, tmp_path, monkeypatch):
    """Installed anew from other sources, as packages of one's own are."""
    home = tmp_path / "site-packages"

    def install(act):
        (home / "own").mkdir(parents=True, exist_ok=True)
        (home / "own/blocks.py").write_text(f"def act(x): return x.{act}()\n")
        (home / "own/__init__.py").write_text(NET.format(imports="from own.blocks import act", read="1.0"))
        if is_installed:
            info = home / "own-1.0.dist-info"
            info.mkdir(exist_ok=True)
            (info / "METADATA").write_text("Metadata-Version: 2.1\nName: own\nVersion: 1.0\n")
            hashed = hashlib.sha256(act.encode()).hexdigest()
            (info / "RECORD").write_text(f"own/blocks.py,sha256={hashed},40\nown-1.0.dist-info/METADATA,sha256=a,1\n")

    monkeypatch.setattr(sys, "path", [str(home), *sys.path])
    install("relu")
    before = digest(Custom("own.Net", sees=SEES, layers={"end": ""}).identity())
    install("sigmoid")
    assert digest(Custom("own.Net", sees=SEES, layers={"end": ""}).identity()) != before


@pytest.mark.parametrize(
    "line", ["os.chdir('/')", "torch.set_default_dtype(torch.float64)", "torch.set_default_device('meta')"]
)
@pytest.mark.parametrize("where", ["import", "building"])
def test_what_a_module_sets_for_the_whole_process_is_undone(line, where, tmp_path):
    """Relative paths, and numbers of others, would else follow it."""
    at, inside = (line, "pass") if where == "import" else ("", line)
    (tmp_path / "own.py").write_text(
        f"import os, torch\nfrom torch import nn\n{at}\nclass Net(nn.Sequential):\n    def __init__(self):\n"
        f"        {inside}\n        super().__init__(nn.Conv2d(3, 4, 3, device='cpu', dtype=torch.float32))\n"
    )
    network = Custom("own.Net", sees=SEES, layers={"end": "0"}).load()
    assert (Path.cwd(), torch.get_default_dtype(), torch.zeros(1).device.type) == (tmp_path, torch.float32, "cpu")
    assert network.features(torch.zeros(2, 3, 16, 16), ["end"], "avg")["end"].shape == (2, 4)
