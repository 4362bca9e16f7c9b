"""Ray, with small functions for work; whole sweeps are in tests/sweep."""

import os
import time
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
import ray_work
import rays

from offshelf.errors import ConfigError
from offshelf.launcher import Lost, Ray

pytestmark = pytest.mark.slow


@pytest.fixture
def launcher():
    return Ray(rays.address(), jobs=2)


def test_piece_is_one_process(launcher, tmp_path):
    """Its items share what comes up in its work; the longest piece is begun first. What is printed is kept."""
    found = dict(Ray(launcher.address, jobs=1).run([[6], [3, 4, 5]], ray_work.where, tmp_path))

    assert [found[number][2] for number in (3, 4, 5, 6)] == [(3,), (3, 4), (3, 4, 5), (6,)]
    assert list(found) == [3, 4, 5, 6]
    assert {threads for _, threads, _ in found.values()} == {"1"}
    written = (tmp_path / "ray" / "worker.log").read_text()
    assert all(f"number {number}" in written for number in (3, 4, 5, 6))
    assert written.count("warned") == 4


def test_who_dies_is_tried_again(launcher, tmp_path):
    """Once, and is then lost alone; who leaves Python is not."""
    found = dict(launcher.run([[0, 1], [2, 4], [3]], partial(ray_work.die, tmp_path), tmp_path))

    assert (found[0], found[1], found[4]) == (0, 1, 4)
    assert found[2] == Lost("its process died of SIGKILL")
    assert found[3] == Lost("it left Python, with exit code 3")
    tries = {number: len((tmp_path / f"tries of {number}").read_text()) for number in range(5)}
    assert tries == {0: 1, 1: 2, 2: 2, 3: 1, 4: 1}


def test_closing_ends_all(launcher, tmp_path):
    """By a signal that each can obey."""
    with closing(launcher.run([[1], [0]], partial(ray_work.nap, tmp_path), tmp_path)) as results:
        assert next(results) == (0, 0)
        deadline = time.monotonic() + 60
        while not (tmp_path / "1").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
    process = int((tmp_path / "1").read_text())

    assert not Path(f"/proc/{process}").exists()
    assert (tmp_path / "end of 1").read_text() == "SystemExit(143)"


def test_what_no_node_has_is_told(launcher, tmp_path, capsys, monkeypatch):
    """On a cluster that others may still join; what is waited for comes never."""
    with closing(Ray(launcher.address, gpus=3).run([[1]], ray_work.square, tmp_path)) as results:
        monkeypatch.setattr("offshelf.cluster.seats.say", lambda text, stderr: (_ for _ in ()).throw(Told(text)))
        with pytest.raises(Told, match=r"No node of the Ray cluster has cpus=1 gpus=3.*cpus=2.*thing=1"):
            next(results)


class Told(Exception):  # noqa: N818
    """What would be printed."""


def test_custom_resources_and_fractions(launcher, tmp_path):
    """Two halves of a thing at once."""
    halves = Ray(launcher.address, jobs=2, cpus=0.5, resources={"thing": 0.5})
    assert sorted(halves.run([[2], [3]], ray_work.square, tmp_path)) == [(2, 4), (3, 9)]


def test_other_releases_are_refused(launcher, tmp_path, monkeypatch):
    """Before work."""
    folder = tmp_path / "torch-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: torch\nVersion: 1.0\n")
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.syspath_prepend(tmp_path)
    expected = r"(Node [\d.]+|A node) of the Ray cluster has torch .* \(here 1\.0\): install the same on all machines"
    with pytest.raises(ConfigError, match=expected):
        next(launcher.run([[1]], ray_work.square, tmp_path))


@pytest.mark.parametrize("address", ["127.0.0.1:9", "ray://127.0.0.1:9"])
def test_nobody_there(address, tmp_path):
    with pytest.raises(ConfigError, match=r"There is no Ray cluster at .*127\.0\.0\.1:9 .*refused.*ray start --head"):
        next(Ray(address).run([[1]], ray_work.square, tmp_path))


def test_without_ray(monkeypatch, tmp_path):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'offshelf\[ray\]'"):
        next(Ray().run([[1]], ray_work.square, tmp_path))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"address": ""}, "address is auto, host:port, ray://host:port or null; got ''"),
        ({"jobs": 0}, "jobs is a whole number, 1 or more; got 0"),
        ({"retries": -1}, "retries is a whole number, 0 or more; got -1"),
        ({"cpus": 0}, "cpus of an actor is a number above 0; got 0"),
        ({"gpus": 1.5}, "gpus of an actor is a fraction below 1, or a whole number; got 1.5"),
        ({"memory_gb": float("inf")}, "memory_gb of an actor is a number above 0; got inf"),
        ({"resources": {"a100": "two"}}, "a100 of an actor is a number above 0; got two"),
    ],
)
def test_settings(settings, message):
    with pytest.raises(ConfigError, match=message):
        Ray(**settings)
