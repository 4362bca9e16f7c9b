"""Runs of processes that have exited."""

import pytest
from mlflow.tracking import MlflowClient

from offshelf.tracking.mlflow import dead_runs
from offshelf.tracking.mlflow.client import connect, default_uri
from offshelf.tracking.process import this_process

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.mark.parametrize(("ends_itself", "status"), [(True, "FINISHED"), (False, "KILLED")])
def test_process_that_exits_meanwhile(ends_itself, status, tmp_path, monkeypatch):
    """A run that was open when runs were searched, and that its process ended before it exited, is not killed."""
    connect(tmp_path, None, "offshelf")
    client = MlflowClient(default_uri(tmp_path))
    experiment = client.get_experiment_by_name("offshelf").experiment_id
    run = client.create_run(experiment, tags={"process": this_process()}).info.run_id

    def exits(process):
        if ends_itself:
            client.set_terminated(run, "FINISHED")
        return True

    monkeypatch.setattr(dead_runs, "is_dead", exits)
    dead_runs.close_dead(client, experiment, tmp_path)
    assert client.get_run(run).info.status == status
