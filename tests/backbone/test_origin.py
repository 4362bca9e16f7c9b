"""Whatever changes a network of one's own changes its key, or is noticed; what does not, does not."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch
from own_package import SEES, key, package
from safetensors.numpy import save_file

from offshelf.backbone import Custom
from offshelf.errors import BackboneError

pytestmark = pytest.mark.usefixtures("own_modules")
READS = {
    "open": "json.loads(__import__('os').read(__import__('os').open(path, 0), 99))['scale']",
    "pathlib": "json.loads(Path(path).read_bytes())['scale']",
    "torch": "__import__('torch').load(path)['scale']",
    "numpy": "float(__import__('numpy').load(path, mmap_mode='r')[0])",
    "safetensors": "float(__import__('safetensors.torch').torch.load_file(path)['scale'])",
    "safe_open": "float(__import__('safetensors').safe_open(path, 'pt').get_tensor('scale'))",
    "listing": "float(len(list(Path(path).parent.glob('*.scale'))))",
}


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


def test_code_of_one_time_and_size_is_not_taken_from_what_was_compiled(tmp_path, monkeypatch):
    """As of archives and containers that give all files one time: Python compares nothing else."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    home = package(tmp_path)
    spec = Custom("mine.nets.Net", sees=SEES, layers={"end": "conv"})
    images = torch.rand(1, 3, 16, 16)

    def features(scale):
        (home / "deep/scale.py").write_text(f"SCALE = {scale}\n")
        os.utime(home / "deep/scale.py", (1e9, 1e9))
        return spec.load().module(images)

    assert torch.allclose(features(3.0), 3 * features(1.0))


@pytest.mark.slow
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


@pytest.mark.slow
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
