"""Slurm by submitit, whose local executor stands for a cluster here; whole sweeps are in tests/sweep."""

import sys
from functools import partial
from operator import truediv

import pytest

from offshelf.errors import ConfigError
from offshelf.launcher import Lost, Slurm

six_by = partial(truediv, 6)


def test_results_and_failures(tmp_path):
    """Work that raises, which no job does, is lost alone; the log is named."""
    found = dict(Slurm("local", array_parallelism=2, cpus=1).run([1, 0, 2], six_by, tmp_path))

    assert (found[0], found[2]) == (6, 3)
    assert isinstance(found[1], Lost)
    assert "ZeroDivisionError" in found[1].why
    assert "log.err" in found[1].why


def test_without_submitit(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(ConfigError, match=r"pip install 'offshelf\[slurm\]'"):
        next(Slurm().run([1], six_by, tmp_path))


def test_without_slurm(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ConfigError, match=r"launcher=slurm cannot be used here: .*launcher=joblib"):
        next(Slurm().run([1], six_by, tmp_path))


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
