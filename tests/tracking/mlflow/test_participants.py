"""The parent of a sweep that several processes run: opened by the first, ended by the last."""

import subprocess
import sys

import pytest
from mlflow.tracking import MlflowClient

from offshelf.tracking import MLflow
from offshelf.tracking.mlflow.client import connect, default_uri
from offshelf.tracking.mlflow.participants import Joined, Participants
from offshelf.tracking.mlflow.sweep import ParentRuns

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
DIES = """\
import os
from offshelf.tracking import MLflow
with MLflow().sweep("sweep", "d", resume=True, shared=True) as sweep:
    (sweep.folder / "failed").touch()
    print(sweep.id, flush=True)
    os.kill(os.getpid(), 9)
"""


def sweep(tracker, shared=True):
    return tracker.sweep("sweep", "d", resume=True, shared=shared)


def status(home, run):
    return MlflowClient(default_uri(home)).get_run(run).info.status


@pytest.mark.slow
def test_the_last_ends_it(home):
    """Whatever the first met with; the folder of both goes with it, and the next sweep is a new one."""
    with sweep(MLflow()) as one:
        with pytest.raises(KeyboardInterrupt), sweep(MLflow()) as other:
            assert other.id == one.id
            assert other.folder == one.folder
            raise KeyboardInterrupt
        assert status(home, one.id) == "RUNNING"
        assert one.folder.exists()
    assert status(home, one.id) == "FINISHED"
    assert not list((home / "sweeps").iterdir())
    with sweep(MLflow()) as new:
        assert new.id != one.id


def test_the_last_is_interrupted(home):
    """Then the sweep is."""
    with pytest.raises(KeyboardInterrupt), sweep(MLflow()) as one:
        with sweep(MLflow()):
            pass
        raise KeyboardInterrupt
    assert status(home, one.id) == "KILLED"


@pytest.mark.slow
def test_all_have_died(home):
    """Their sweep goes on, also one that is open as its process was on another machine; what they left is gone."""
    died = subprocess.run([sys.executable, "-c", DIES], capture_output=True, text=True, timeout=200, check=False)
    client = MlflowClient(default_uri(home))
    client.set_tag(died.stdout.strip(), "process", "elsewhere 1 1")
    with MLflow().start("beside"):
        pass
    assert status(home, died.stdout.strip()) == "RUNNING"

    with sweep(MLflow()) as again:
        assert again.id == died.stdout.strip()
        assert not list(again.folder.glob("failed"))
    assert status(home, again.id) == "FINISHED"


def test_by_itself(home):
    """A sweep that is not shared leaves those that are alone."""
    with sweep(MLflow()) as one, sweep(MLflow(), shared=False) as beside:
        assert beside.id != one.id
        assert beside.folder is None


def test_no_room_for_members(home):
    """A home that takes no folder for them: each process has its own sweep."""
    home.mkdir()
    (home / "sweeps").touch()
    with sweep(MLflow()) as one, sweep(MLflow()) as other:
        assert one.folder is None
        assert other.id != one.id


def test_a_server_without_a_common_home(tmp_path):
    """One parent, and no more than that."""
    uri = default_uri(tmp_path)
    with sweep(MLflow(str(tmp_path / "here"), uri)) as one:
        with sweep(MLflow(str(tmp_path / "there"), uri)) as other:
            assert other.id == one.id
            assert other.folder != one.folder
        assert MLflow(str(tmp_path / "third"), uri).finished("d") == {}
    assert status(tmp_path, one.id) == "FINISHED"


def test_opened_at_once_on_a_server(home):
    """All agree on one, and the others, which are empty, are gone."""
    client, experiment = connect(home, None, "offshelf")
    runs = [client.create_run(experiment, 5, {"sweep_digest": "d"}).info.run_id for _ in range(3)]

    assert {ParentRuns(client, experiment, "d").elect_parent(run) for run in runs} == {min(runs)}
    left = client.search_runs([experiment])
    assert [run.info.run_id for run in left] == [min(runs)]


def test_others_are_those_that_live(home):
    one, other = Participants(home, "d"), Participants(home, "d")
    assert one.join() == Joined(None, False)
    one.announce("run")
    assert other.join() == Joined("run", True)
    assert one.has_others()
    one.leave()
    assert not other.has_others()
