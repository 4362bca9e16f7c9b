"""Whoever only reads runs makes nothing, and closes what processes that died have left open."""

import subprocess
import sys
from pathlib import Path
from urllib.parse import urlparse

import pytest

from offshelf.commands import ui
from offshelf.errors import ConfigError, TrackingError
from offshelf.tracking import MLflow
from offshelf.tracking.mlflow.client import connect
from offshelf.tracking.mlflow.reading import TrackedRuns
from offshelf.tracking.mlflow.server import LAST_PORT, free_port

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


def test_no_home_is_made(tmp_path):
    """Of a misspelt folder."""
    for read in (lambda home: TrackedRuns(home), lambda home: ui.main([f"home={home}"])):
        with pytest.raises(TrackingError, match="There are no runs in"):
            read(str(tmp_path / "hmoe"))
    assert not (tmp_path / "hmoe").exists()


def test_no_store_is_made(tmp_path):
    """Of a misspelt file."""
    for read in (lambda uri: TrackedRuns(uri=uri), lambda uri: ui.main([f"uri={uri}"])):
        with pytest.raises(TrackingError, match=r"There is no store sqlite:.*rnus\.db"):
            read(f"sqlite:///{tmp_path}/rnus.db")
    assert not (tmp_path / "rnus.db").exists()


def test_no_experiment_is_made(home):
    """The nearest is named; the store has as many as before."""
    with MLflow().start("a run"):
        pass
    for read in (lambda name: TrackedRuns(experiment=name), lambda name: ui.main([f"experiment={name}"])):
        with pytest.raises(TrackingError, match="has no experiment 'offshef'; did you mean 'offshelf'"):
            read("offshef")
    client, _ = connect(home, None, "offshelf")
    assert [each.name for each in client.search_experiments() if each.name != "Default"] == ["offshelf"]


@pytest.mark.slow
def test_a_reader_closes_what_died(home):
    """By `os._exit` in a job, say: no other run has to be started for that."""
    code = """
        import os
        from offshelf.tracking import MLflow
        with MLflow().sweep("a sweep", "digest", True, True):
            with MLflow().start("a job"):
                os._exit(0)
    """
    subprocess.run([sys.executable, "-c", "if True:" + code], check=True)
    for name in ("a sweep", "a job"):
        (run,) = TrackedRuns().find(name)
        assert run.status == "KILLED"


def test_a_run_is_found_by_its_own_id(home):
    """Which its report names it by: when that is written, MLflow may not have answered yet."""
    with MLflow().start("a run"):
        pass
    (run,) = TrackedRuns().find("a run")
    own = run.tags["offshelf_run"]

    assert own != run.id
    assert [each.id for each in TrackedRuns().find(own[:8])] == [run.id]


@pytest.mark.parametrize("name", ["../../outside", "/outside", "a/../../b"])
def test_artifacts_stay_in_the_home(home, tmp_path, name):
    """Whatever an experiment is called; a kept run, which may be anybody's, names one."""
    home.mkdir()
    client, experiment = connect(home, None, name)
    where = Path(urlparse(client.get_experiment(experiment).artifact_location).path)
    assert where.resolve().is_relative_to(home / "artifacts")


@pytest.mark.parametrize("port", ["0", "65536", "-1", "99999"])
def test_ports(port):
    """As many as there are."""
    with pytest.raises(ConfigError, match="port is a number from 1 to 65535"):
        ui.parse([f"port={port}"])


def test_the_last_ports_are_looked_at():
    """And none beyond."""
    assert free_port(LAST_PORT) == LAST_PORT
