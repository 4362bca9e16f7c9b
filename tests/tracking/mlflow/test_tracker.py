"""Runs in a real SQLite store: found, nested, closed whatever happens."""

import json
import os
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from mlflow.tracking import MlflowClient

from offshelf.errors import TrackingError
from offshelf.tracking import MLflow, NoTracking, as_job_of
from offshelf.tracking.mlflow.client import connect, default_uri

FILTER = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
pytestmark = [FILTER, pytest.mark.filterwarnings("ignore::ResourceWarning")]


def runs(home):
    """All runs of a home's store."""
    client = MlflowClient(default_uri(home))
    (experiment,) = client.search_experiments(filter_string="name = 'offshelf'")
    return {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}


def test_everything_logged_is_found(tmp_path):
    """Parameters, metrics, tags, tables, figures, texts, the data set."""
    with MLflow(str(tmp_path)).start("a run") as run:
        run.log(
            params={"classifier.C": [1, 2], "long": "x" * 20_000, "ö=[]": 1},
            metrics={"test/accuracy": 0.5, "cv/C": 2, **{f"m/{number}": number for number in range(250)}},
            tags={"feature_digest": "abc"},
        )
        run.log_table({"class": ["a", "b"], "accuracy": [1.0, None]}, "per_class.json")
        run.log_figure(Figure(), "confusion.png")
        (tmp_path / "curve.csv").write_text("C,mean\n")
        run.log_file(tmp_path / "curve.csv")
        run.log_text("seed: 0\n", "config.yaml")
        run.log_dataset("digits", "d" * 64, "all", {"images": 3})
    found = runs(tmp_path)["a run"]
    artifacts = {item.path for item in MlflowClient(default_uri(tmp_path)).list_artifacts(found.info.run_id)}

    assert found.info.status == "FINISHED"
    assert found.data.params["classifier.C"] == "[1, 2]"
    assert len(found.data.params["long"]) == 6000
    assert found.data.metrics["test/accuracy"] == 0.5
    assert len(found.data.metrics) == 252
    assert found.data.tags["feature_digest"] == "abc"
    assert found.data.tags["version.torch"]
    assert json.loads(found.data.tags["mlflow.loggedArtifacts"]) == [{"path": "per_class.json", "type": "table"}]
    assert artifacts == {"per_class.json", "confusion.png", "curve.csv", "config.yaml"}
    assert found.inputs.dataset_inputs[0].dataset.name == "digits"
    assert (tmp_path / "artifacts/offshelf" / found.info.run_id / "artifacts/config.yaml").is_file()


def test_children_belong_to_their_parent(tmp_path):
    """Layers under a run, runs under a sweep."""
    tracker = MLflow(str(tmp_path))
    with tracker.sweep("sweep") as sweep, tracker.start("job") as job, job.child("layer"):
        pass
    found = runs(tmp_path)

    assert found["job"].data.tags["mlflow.parentRunId"] == sweep.id
    assert found["layer"].data.tags["mlflow.parentRunId"] == job.id
    assert "OFFSHELF_PARENT_RUN" not in os.environ


def test_sweep_is_taken_up_again_once(tmp_path):
    """By its digest, with the jobs that are done; not while it is open, and not when it is finished."""
    tracker = MLflow(str(tmp_path))
    with pytest.raises(KeyboardInterrupt), tracker.sweep("first", "d", resume=True) as first:
        with as_job_of(first.id, "one"), tracker.start("job") as job:
            job.log(metrics={"test/accuracy": 0.5}, tags={"metric": "accuracy"})
        with as_job_of(first.id, "two"), tracker.start("job"):
            raise KeyboardInterrupt
    assert tracker.finished("d").keys() == {"one"}

    with tracker.sweep("again", "d", resume=True) as again:
        (done,) = again.finished().values()
        with MLflow(str(tmp_path)).sweep("beside", "d", resume=True) as beside:
            pass
    with tracker.sweep("new", "d", resume=True) as new:
        pass
    with tracker.sweep("other", "e", resume=True) as other:
        pass

    assert again.id == first.id
    assert (done.id, done.metric, done.metrics) == (job.id, "accuracy", {"test/accuracy": 0.5})
    assert len({first.id, beside.id, new.id, other.id}) == 4
    assert tracker.finished("d") == {}
    assert runs(tmp_path)["first"].info.status == "FINISHED"
    assert "OFFSHELF_JOB_DIGEST" not in os.environ


@pytest.mark.slow
@pytest.mark.parametrize(
    ("error", "status"), [(ValueError, "FAILED"), (KeyboardInterrupt, "KILLED"), (SystemExit, "FAILED")]
)
def test_no_run_stays_open(tmp_path, error, status):
    """Whatever ends it; the parents are closed too. A `sys.exit` that no signal has asked for is a failure."""
    tracker = MLflow(str(tmp_path))
    with pytest.raises(error), tracker.sweep("sweep"), tracker.start("job") as job, job.child("layer"):
        raise error

    assert {run.info.status for run in runs(tmp_path).values()} == {status}


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("http://127.0.0.1:9", "No MLflow server answers at http://127.0.0.1:9"),
        ("/some/folder", "is not a tracking store"),
        ("file:///some/folder", "is not a tracking store"),
    ],
)
def test_unreachable_stores(tmp_path, uri, message):
    """Known soon, with the way out."""
    with pytest.raises(TrackingError, match=message):
        connect(tmp_path, uri, "offshelf")


def test_damaged_database(tmp_path):
    """A sentence, and the file is left as it is."""
    (tmp_path / "mlflow.db").write_bytes(b"no database" * 100)
    with pytest.raises(TrackingError, match=r"mlflow\.db cannot be used"):
        connect(tmp_path, None, "offshelf")

    assert (tmp_path / "mlflow.db").read_bytes().startswith(b"no database")


def test_no_tracking_takes_the_same_calls():
    """And keeps nothing."""
    with NoTracking().start("x") as run, run.child("y") as child:
        child.log(metrics={"a": 1})
        child.log_table({"a": [1]}, "a.json")
        child.log_figure(Figure(), "a.png")
        child.log_file(Path("a.csv"))
        child.log_text("a", "a.txt")
        child.log_dataset("a", "b", "all", {})

    assert run.id == ""


@pytest.mark.slow
def test_tracking_server(tmp_path, tracking_server):
    """The same calls over HTTP, artifacts included; the experiment is made there."""
    uri, store = tracking_server
    with MLflow(str(tmp_path / "client"), uri).start("a run") as run, run.child("layer") as child:
        child.log({"a": 1}, {"test/accuracy": 0.5}, {"b": "c"})
        child.log_table({"class": ["a"]}, "per_class.json")
        child.log_text("x", "config.yaml")
    artifacts = {item.path for item in MlflowClient(uri).list_artifacts(child.id)}
    found = runs(store)
    assert found["layer"].data.metrics == {"test/accuracy": 0.5}
    assert found["layer"].data.tags["mlflow.parentRunId"] == run.id
    assert artifacts == {"per_class.json", "config.yaml"}
    assert not (tmp_path / "client/mlflow.db").exists()


@pytest.mark.parametrize("name", ["a b", "dächer 家", "50%20", "50%", "x #2", "q?w"])
def test_uri_of_a_home_means_its_database(name, tmp_path):
    """Whatever SQLAlchemy takes for an escape or a query."""
    from sqlalchemy import make_url

    assert make_url(default_uri(tmp_path / name)).database == str(tmp_path / name / "mlflow.db")
