"""Closing runs in MLflow whose processes died before they could."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from offshelf.tracking.events import PARENT_TAG
from offshelf.tracking.mlflow.client import search_all
from offshelf.tracking.mlflow.participants import Participants
from offshelf.tracking.mlflow.retries import mlflow_errors
from offshelf.tracking.parent import SWEEP_TAG
from offshelf.tracking.process import is_dead, this_process

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient


def close_dead(client: "MlflowClient", experiment: str, home: Path) -> None:
    """Close as KILLED the open runs of processes of this host that have died, for example of SIGKILL.

    A sweep stays open while other processes run it.
    """
    host = this_process().partition(" ")[0]
    text = f"attributes.status = 'RUNNING' and tags.process LIKE '{host} %'"
    for run in search_all(client, experiment, text):
        tags = run.data.tags
        if is_dead(tags["process"]) and not Participants(home, tags.get(SWEEP_TAG, "")).has_others():
            _close(client, run.info.run_id)


def _close(client: "MlflowClient", run: str) -> None:
    """Close a run of a dead process, unless the process closed it itself after the search, before it exited."""
    if client.get_run(run).info.status == "RUNNING":
        client.set_terminated(run, "KILLED")


def try_close_dead(client: "MlflowClient", experiment: str, home: Path) -> None:
    """Do what `close_dead` does, for commands that only read, if the store can be written to."""
    with suppress(*mlflow_errors()):
        close_dead(client, experiment, home)


def close_open_children(client: "MlflowClient", experiment: str, parent: str) -> None:
    """Close as KILLED the open runs nested under a run that no process works on any more."""
    text = f"tags.`{PARENT_TAG}` = '{parent}' and attributes.status = 'RUNNING'"
    for run in search_all(client, experiment, text):
        close_open_children(client, experiment, run.info.run_id)
        client.set_terminated(run.info.run_id, "KILLED")
