"""What a network of one's own may depend on beside its sources: files read late, chance, variables, repositories."""

import json
import sys

import numpy as np
import pytest
from own_package import SEES, key, package

from offshelf.backbone import Custom, Preprocessing, TorchHub
from offshelf.errors import BackboneError
from offshelf.identity import digest

pytestmark = pytest.mark.usefixtures("own_modules")


RANDOM = """
import random, numpy, os, time
from torch import nn, zeros, full

class Net(nn.Module):
    def __init__(self, kind):
        super().__init__()
        drawn = {"numpy": numpy.random.rand, "python": random.random, "time": time.time_ns,
                 "system": numpy.random.default_rng().random}[kind]()
        self.register_buffer("drawn", full((1,), float(drawn) % 1000))
"""


@pytest.mark.parametrize("kind", ["numpy", "python"])
def test_random_weights_follow_the_seed(kind, tmp_path):
    """NumPy's and Python's generators too, which are left as they were."""
    (tmp_path / "own.py").write_text(RANDOM)
    spec = Custom("own.Net", {"kind": kind}, sees=SEES, layers={"end": "drawn"})
    state = np.random.get_state()[1].copy()

    assert spec.load().module.drawn == spec.load().module.drawn
    assert (np.random.get_state()[1] == state).all()
    other = Custom("own.Net", {"kind": kind}, sees=SEES, layers={"end": "drawn"}, seed=1)
    assert spec.load().module.drawn != other.load().module.drawn


@pytest.mark.parametrize("kind", ["time", "system"])
def test_weights_that_come_from_nowhere_are_refused(kind, tmp_path):
    """Two builds from the same sources and files differ."""
    (tmp_path / "own.py").write_text(RANDOM)
    with pytest.raises(BackboneError, match="Net came out with other weights than before"):
        Custom("own.Net", {"kind": kind}, sees=SEES, layers={"end": "drawn"}).load()


HUBCONF = """
from models import Net
def net(pretrained=True): return Net()
"""


MODELS = """
from torch import nn
class Net(nn.Sequential):
    def __init__(self): super().__init__(nn.Conv2d(3, {width}, 3))
"""


def repository(folder, width):
    """A hub repository whose code is in a package with a common name."""
    (folder / "models").mkdir(parents=True)
    (folder / "hubconf.py").write_text(HUBCONF)
    (folder / "models/__init__.py").write_text(MODELS.format(width=width))
    (folder / "config.json").write_text("{}")
    return TorchHub(str(folder), "net", None, {"end": "0"}, sees=SEES, source="local")


def test_a_local_hub_repository_counts_as_a_whole(tmp_path):
    """Any file of it, new ones too; what git and Python keep beside does not."""
    spec = repository(tmp_path / "a", 4)
    keys = [digest(spec.identity())]
    (tmp_path / "a/.git").mkdir()
    (tmp_path / "a/.git/HEAD").write_text("ref")
    assert digest(spec.identity()) == keys[0]
    for file in ("models/__init__.py", "config.json", "new.txt"):
        path = tmp_path / "a" / file
        path.write_text((path.read_text() if path.exists() else "") + "\n")
        keys.append(digest(spec.identity()))

    assert len(set(keys)) == 4


def test_two_repositories_with_packages_of_one_name(tmp_path):
    """Each network is its own repository's; so is one that was edited."""
    one, two = repository(tmp_path / "a", 4), repository(tmp_path / "b", 5)

    assert [spec.load().module[0].out_channels for spec in (one, two, one)] == [4, 5, 4]
    code = tmp_path / "a/models/__init__.py"
    code.write_text(code.read_text().replace("(3, 4, 3)", "(3, 6, 3)"))
    assert one.load().module[0].out_channels == 6


def test_what_is_read_on_import_is_seen_for_each_network_of_a_process(tmp_path):
    """A second network of the same module, whose import read a file, knows of it too."""
    package(tmp_path, "float(path or 1)")
    (tmp_path / "mine/deep/scale.py").write_text(
        "import pathlib\nSCALE = float(pathlib.Path('scale.txt').read_text())\n"
    )
    (tmp_path / "scale.txt").write_text("1.0")
    before = [key(path=path) for path in ("1", "2")]
    (tmp_path / "scale.txt").write_text("2.0")
    after = [key(path=path) for path in ("1", "2")]

    assert len({*before, *after}) == 4


LATE = """
import json, os
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.scale = nn.Conv2d(3, 4, 3), None
    def forward(self, x):
        if self.scale is None:
            with open("late" + ".json") as file:
                self.scale = json.load(file)["scale"]
        return self.conv(x) * self.scale
"""


def test_what_is_read_in_the_first_pass_counts(tmp_path):
    """A table that is loaded when it is needed."""
    (tmp_path / "own.py").write_text(LATE)
    spec = Custom("own.Net", sees=SEES, layers={"end": "conv"})
    keys = []
    for scale in (1, 2):
        (tmp_path / "late.json").write_text(json.dumps({"scale": scale}))
        keys.append(digest(spec.identity()))

    assert keys[0] != keys[1]


@pytest.mark.parametrize("asked", ["os.environ['NET_WIDTH']", "os.environ.get('NET_WIDTH')", "os.getenv('NET_WIDTH')"])
def test_environment_variables_count(asked, tmp_path, monkeypatch, home):
    """Those that the user's code asks for; their values are not written down."""
    package(tmp_path, f"float({asked} or 1)")
    (tmp_path / "mine/nets.py").write_text("import os\n" + (tmp_path / "mine/nets.py").read_text())
    keys = []
    for value in ("1.0625", "2.0625"):
        monkeypatch.setenv("NET_WIDTH", value)
        monkeypatch.setenv("OTHER", value)
        keys.append(key())

    assert keys[0] != keys[1]
    assert all("0625" not in path.read_text() for path in home.rglob("*.json"))


def test_projects_with_equal_sources_have_their_own_files(tmp_path, monkeypatch):
    """The same module and arguments in two folders, each with its weights."""
    keys, scales = [], []
    for folder, scale in (("a", 1.0), ("b", 2.0)):
        (tmp_path / folder).mkdir()
        package(tmp_path / folder, "json.loads(Path(path).read_text())['scale']")
        (tmp_path / folder / "data.json").write_text(json.dumps({"scale": scale}))
        monkeypatch.chdir(tmp_path / folder)
        monkeypatch.setattr(sys, "path", [str(tmp_path / folder), *sys.path[1:]])
        keys.append(key(path="data.json"))
        spec = Custom("mine.nets.Net", {"path": "data.json"}, sees=SEES, layers={"end": "conv"})
        scales.append(spec.load().module.scale)

    assert keys[0] != keys[1]
    assert scales == [1.0, 2.0]


@pytest.mark.parametrize(
    ("module", "kwargs"), [("torchvision.models.resnet18", {}), ("timm.create_model", {"model_name": "resnet10t"})]
)
def test_installed_packages(module, kwargs):
    """Their releases count: nothing of theirs is read as the user's."""
    spec = Custom(module, kwargs, sees=Preprocessing(32, 32))
    made_from = spec.identity()["made from"]

    assert made_from["files"] == {}
    assert len(made_from["sources"]) <= 1
    assert spec.load().module is not None


def test_a_module_in_an_archive(tmp_path, monkeypatch):
    """The archive counts."""
    import zipfile

    def write(width):
        with zipfile.ZipFile(tmp_path / "nets.zip", "w") as file:
            file.writestr("own.py", f"from torch import nn\ndef net(): return nn.Conv2d(3, {width}, 3)\n")

    monkeypatch.syspath_prepend(tmp_path / "nets.zip")
    write(4)
    spec = Custom("own.net", sees=SEES, layers={"end": ""})
    before = digest(spec.identity())
    write(5)
    assert digest(spec.identity()) != before


def test_imports_in_a_circle(tmp_path):
    """Each module is looked at once, star imports and aliases too."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/__init__.py").write_text("from .a import *\n")
    (tmp_path / "mine/a.py").write_text(
        "import mine.b as other\nfrom torch import nn\ndef net(): return nn.Conv2d(3, 4, 3)\n"
    )
    (tmp_path / "mine/b.py").write_text("def later():\n    from mine import a\n    import mine.c\n")
    (tmp_path / "mine/c.py").write_text("")
    spec = Custom("mine.net", sees=SEES, layers={"end": ""})
    before = digest(spec.identity())
    (tmp_path / "mine/c.py").write_text("X = 1\n")

    assert digest(spec.identity()) != before
