"""Slurm by submitit, whose local executor stands for a cluster here; whole sweeps are in tests/sweep."""

import os
import signal
import sys
import time
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from offshelf.errors import ConfigError
from offshelf.launcher import Lost, Slurm

LOCAL = Slurm("local", array_parallelism=2, cpus=1)


@pytest.fixture(autouse=True)
def found_by_jobs(monkeypatch):
    """Functions of this module."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))


def six_by(piece):
    yield from (6 / number for number in piece)


def wait_for_a_word(folder, piece):
    """Once it was there, a second item needs a word from outside."""
    for number in piece:
        while number == 1 and not (folder / "word").exists():
            time.sleep(0.1)
        yield number


def break_off(folder, piece):
    """The first try is preempted in the second item."""
    for number in piece:
        with (folder / "tries").open("a") as file:
            file.write(f"{number} ")
        if number == 1 and (folder / "tries").read_text() == "0 1 ":
            os.kill(os.getpid(), signal.SIGUSR2)
            time.sleep(60)
        yield number


@pytest.mark.slow
def test_results_and_failures(tmp_path):
    """Work that raises, which no job does, is lost alone; the log is named, and the rest of its piece goes on."""
    found = dict(LOCAL.run([[1, 0, 2], [3]], six_by, tmp_path))

    assert (found[1], found[2], found[3]) == (6, 3, 2)
    assert isinstance(found[0], Lost)
    assert "ZeroDivisionError" in found[0].why
    assert "log.err" in found[0].why


@pytest.mark.slow
def test_results_come_one_by_one(tmp_path):
    """An item's is there before the next of its piece is done."""
    with closing(LOCAL.run([[0, 1]], partial(wait_for_a_word, tmp_path), tmp_path)) as results:
        assert next(results) == (0, 0)
        (tmp_path / "word").touch()
        assert list(results) == [(1, 1)]


@pytest.mark.slow
def test_piece_goes_on_where_it_was_broken_off(tmp_path):
    assert list(LOCAL.run([[0, 1, 2]], partial(break_off, tmp_path), tmp_path)) == [(0, 0), (1, 1), (2, 2)]
    assert (tmp_path / "tries").read_text().split() == ["0", "1", "1", "2"]


def test_without_submitit(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(ConfigError, match=r"pip install 'offshelf\[slurm\]'"):
        next(Slurm().run([[1]], six_by, tmp_path))


def test_without_slurm(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ConfigError, match=r"launcher=slurm cannot be used here: .*launcher=joblib"):
        next(Slurm().run([[1]], six_by, tmp_path))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cluster": "pbs"}, r"launcher\.cluster is slurm or local; got 'pbs'"),
        ({"timeout_min": 0}, r"launcher\.timeout_min is a positive whole number; got 0"),
        ({"array_parallelism": "all"}, r"launcher\.array_parallelism is a positive whole number; got all"),
    ],
)
def test_settings(settings, message):
    with pytest.raises(ConfigError, match=message):
        Slurm(**settings)
