"""Whatever changes a network of one's own changes its key, or is noticed; what does not, does not."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from offshelf.backbone import Custom, Preprocessing, TorchHub
from offshelf.errors import BackboneError
from offshelf.identity import digest

SEES = Preprocessing(16, 16)
NET = """
import json
from pathlib import Path
from torch import nn, zeros
from .blocks import act

class Net(nn.Module):
    def __init__(self, path=None):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.scale = READ
    def forward(self, x):
        from .late import head
        return head(act(self.conv(x) * self.scale))
"""
READS = {
    "open": "json.loads(__import__('os').read(__import__('os').open(path, 0), 99))['scale']",
    "pathlib": "json.loads(Path(path).read_bytes())['scale']",
    "torch": "__import__('torch').load(path)['scale']",
    "numpy": "float(__import__('numpy').load(path, mmap_mode='r')[0])",
    "safetensors": "float(__import__('safetensors.torch').torch.load_file(path)['scale'])",
    "safe_open": "float(__import__('safetensors').safe_open(path, 'pt').get_tensor('scale'))",
    "listing": "float(len(list(Path(path).parent.glob('*.scale'))))",
}


def package(folder, read="1.0"):
    """A package of the user's: a class, a helper, one that is imported late, and a data file's reader."""
    home = folder / "mine"
    home.mkdir(exist_ok=True)
    (home / "__init__.py").write_text("")
    (home / "nets.py").write_text(NET.replace("READ", read))
    (home / "blocks.py").write_text("from mine.deep.scale import SCALE\ndef act(x): return x.relu() * SCALE\n")
    (home / "late.py").write_text("def head(x): return x.mean((2, 3))\n")
    (home / "deep").mkdir(exist_ok=True)  # a namespace package
    (home / "deep/scale.py").write_text("SCALE = 1.0\n")
    return home


@pytest.fixture(autouse=True)
def own_modules(monkeypatch, tmp_path):
    """In an own folder, and modules of the test's are forgotten after it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] in ("mine", "plugins", "own", "models")]:
        del sys.modules[name]


def key(**kwargs):
    """The identity of the network."""
    return digest(Custom("mine.nets.Net", kwargs, sees=SEES, layers={"conv": "conv"}).identity())


@pytest.mark.parametrize("edited", ["nets.py", "blocks.py", "late.py", "deep/scale.py", "__init__.py"])
def test_every_module_that_is_imported_counts(edited, tmp_path):
    """Relative, inside a function, in a namespace package; in this process, and put back it is the old key."""
    home = package(tmp_path)
    before = key()
    text = (home / edited).read_text()
    (home / edited).write_text(text + "# edited\n")

    assert key() != before
    (home / edited).write_text(text)
    assert key() == before


@pytest.mark.parametrize("read", READS)
def test_every_file_that_is_read_while_it_is_built_counts(read, tmp_path):
    """Whichever library opens it."""
    package(tmp_path, READS[read])
    suffix = {"numpy": ".npy", "listing": ".scale"}.get(read, ".bin")
    path = tmp_path / f"data{suffix}"

    def write(scale):
        if read == "torch":
            torch.save({"scale": scale}, path)
        elif read == "numpy":
            np.save(path, np.array([scale]))
        elif read.startswith("safe"):
            save_file({"scale": np.array(scale)}, path)
        elif read == "listing":
            for number in range(int(scale)):
                path.with_name(f"{number}.scale").touch()
        else:
            path.write_text(json.dumps({"scale": scale}))

    write(1.0)
    before = key(path=str(path))
    assert key(path=str(path)) == before
    write(2.0)
    assert key(path=str(path)) != before


def test_code_runs_as_it_is_in_its_files(tmp_path):
    """Edited between two runs of one process, a helper's new code makes the features of the new key."""
    home = package(tmp_path)
    spec = Custom("mine.nets.Net", sees=SEES, layers={"end": "conv"})
    images = torch.rand(1, 3, 16, 16)

    def features():
        return spec.load().module(images)

    before = features()
    (home / "deep/scale.py").write_text("SCALE = 3.0\n")
    assert torch.allclose(features(), 3 * before)


def test_code_that_was_imported_before_offshelf_looked(tmp_path):
    """As in a notebook: imported, edited, then used."""
    package(tmp_path)
    script = """
        import mine.nets, pathlib, torch
        pathlib.Path("mine/deep/scale.py").write_text("SCALE = 3.000\\n")
        from offshelf.backbone import Custom, Preprocessing
        net = Custom("mine.nets.Net", sees=Preprocessing(16, 16), layers={"end": "conv"}).load().module
        from mine.deep.scale import SCALE
        assert SCALE == 3, SCALE
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


def test_modules_imported_by_name_while_it_is_built(tmp_path):
    """As plug-ins are."""
    package(tmp_path, "__import__('importlib').import_module('plugins.' + path).SCALE")
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins/one.py").write_text("SCALE = 1.0\n")
    before = key(path="one")
    (tmp_path / "plugins/one.py").write_text("SCALE = 2.0\n")

    assert key(path="one") != before


def test_what_does_not_matter_does_not_count(tmp_path, monkeypatch):
    """Other files in the folder, a module that is not imported, another working directory, a moved project."""
    home = package(tmp_path)
    before = key()
    (home / "other.py").write_text("x = 1\n")
    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs/metrics.json").write_text("{}")
    assert key() == before
    monkeypatch.chdir(tmp_path / "outputs")
    assert key() == before


def test_known_again_without_building_it(tmp_path):
    """In a second process torch is not imported to know what it is; after an edit it is built again."""
    home = package(tmp_path)
    script = """
        import sys
        from offshelf.backbone import Custom, Preprocessing
        spec = Custom("mine.nets.Net", sees=Preprocessing(16, 16), layers={"end": "conv"})
        from offshelf.identity import digest
        print(digest(spec.identity()), "torch" in sys.modules)
    """

    def run():
        command = [sys.executable, "-c", textwrap.dedent(script)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return done.stdout.split()

    first, second = run(), run()
    assert first == [second[0], "True"]
    assert second[1] == "False"
    (home / "late.py").write_text("def head(x): return x.amax((2, 3))\n")
    third = run()
    assert third[0] != first[0]
    assert third[1] == "True"


def test_a_home_that_cannot_be_written_to_costs_time_alone(tmp_path, monkeypatch, home):
    """The record is not kept; the key is the same."""
    package(tmp_path)
    before = key()
    monkeypatch.setenv("OFFSHELF_HOME", str(tmp_path / "mine/nets.py"))

    assert key() == before


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


def test_a_main_script_is_no_module():
    """What is typed in has no file whose changes could be followed."""
    with pytest.raises(BackboneError, match=r"There is no module '__main__'.*in a file"):
        Custom("__main__.Net").identity()


def test_paths_of_files_below_the_project_are_relative(tmp_path):
    """So that a project may be moved."""
    package(tmp_path, "json.loads((Path(__file__).parent / 'config.json').read_text())['scale']")
    (tmp_path / "mine/config.json").write_text('{"scale": 2}')
    made_from = Custom("mine.nets.Net", sees=SEES, layers={"end": "conv"}).identity()["made from"]

    assert list(made_from["files"]) == [str(Path("mine/config.json"))]


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
