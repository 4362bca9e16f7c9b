"""A sweep in MLflow: a parent run that is found again when it was broken off, and the jobs that are done under it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from offshelf.process.environment import variable
from offshelf.tracking.connection import search_all
from offshelf.tracking.journal import PARENT
from offshelf.tracking.members import Members
from offshelf.tracking.patient import failures
from offshelf.tracking.process import is_dead, this_process
from offshelf.tracking.tracker import FinishedJob

if TYPE_CHECKING:
    from mlflow.entities import Run
    from mlflow.tracking import MlflowClient

JOB = "OFFSHELF_JOB_DIGEST"
"""Environment variable with the digest of the job that is being done."""

START = "attributes.start_time"


@contextmanager
def under(parent: str) -> Iterator[None]:
    """Runs that are started meanwhile, in this process and its children, belong under a parent."""
    with variable(PARENT, parent):
        yield


@contextmanager
def belonging(parent: str, job: str) -> Iterator[None]:
    """Runs that are started meanwhile, in this process and its children, are the job with this digest of a sweep."""
    with variable(PARENT, parent), variable(JOB, job):
        yield


def surroundings() -> dict[str, str]:
    """Tags of a run from the sweep it is a job of, if any."""
    named = {"mlflow.parentRunId": os.environ.get(PARENT), "job_digest": os.environ.get(JOB)}
    return {name: value for name, value in named.items() if value}


def close_dead(client: "MlflowClient", experiment: str, home: Path) -> None:
    """Close as KILLED the runs of processes of this host that have died without a word: of SIGKILL, say.

    A sweep stays open while others run it.
    """
    host = this_process().partition(" ")[0]
    text = f"attributes.status = 'RUNNING' and tags.process LIKE '{host} %'"
    for run in search_all(client, experiment, text):
        tags = run.data.tags
        if is_dead(tags["process"]) and not Members(home, tags.get("sweep_digest", "")).others():
            client.set_terminated(run.info.run_id, "KILLED")


def close_left_open(client: "MlflowClient", experiment: str, home: Path) -> None:
    """See `close_dead`; for whoever only reads, and may not be allowed to write."""
    with suppress(*failures()):
        close_dead(client, experiment, home)


def close_open(client: "MlflowClient", experiment: str, parent: str) -> None:
    """Close as KILLED what is still open under a run; for when nobody is left who works on it."""
    text = f"tags.`mlflow.parentRunId` = '{parent}' and attributes.status = 'RUNNING'"
    for run in search_all(client, experiment, text):
        close_open(client, experiment, run.info.run_id)
        client.set_terminated(run.info.run_id, "KILLED")


def unfinished(
    client: "MlflowClient", experiment: str, digest: str, noted: str = "", takes_open: bool = False
) -> "Run | None":
    """The sweep of a digest that would be taken up: an open one, else the newest, if it was broken off or had failures.

    Args:
        client: MLflow's.
        experiment: Its id.
        digest: Of the sweep's command.
        noted: Id of an open one that counts.
        takes_open: Whether all open ones count; of several all processes take the oldest, of those the first by id.
    """
    same = f"tags.sweep_digest = '{digest}' and attributes.status"
    if noted or takes_open:
        only = "" if takes_open else f" and attributes.run_id = '{noted}'"
        going = client.search_runs([experiment], f"{same} = 'RUNNING'{only}", max_results=1, order_by=[f"{START} ASC"])
        if going:
            return going[0]
    ended = client.search_runs([experiment], f"{same} != 'RUNNING'", max_results=1, order_by=[f"{START} DESC"])
    return ended[0] if ended and ended[0].info.status != "FINISHED" else None


def take_up(client: "MlflowClient", experiment: str, digest: str, noted: str, takes_open: bool) -> str:
    """Go on with a sweep; its id, or empty where there is none. See `unfinished`.

    Args:
        client: MLflow's.
        experiment: Its id.
        digest: Of the sweep's command.
        noted: Id of one whose processes have died.
        takes_open: Whether one that processes on other machines have opened is joined.
    """
    run = unfinished(client, experiment, digest, noted, takes_open)
    if run and (run.info.status != "RUNNING" or run.info.run_id == noted):
        client.set_tag(run.info.run_id, "process", this_process())
        client.update_run(run.info.run_id, status="RUNNING")
    return str(run.info.run_id) if run else ""


def agree(client: "MlflowClient", experiment: str, digest: str, own: str) -> str:
    """Of sweeps that were opened at once one stays, which all processes take; `own`, which is empty, is given up."""
    chosen = unfinished(client, experiment, digest, takes_open=True)
    if chosen is None or chosen.info.run_id == own:
        return own
    client.delete_run(own)
    return str(chosen.info.run_id)


def finished_jobs(client: "MlflowClient", experiment: str, parent: str) -> dict[str, FinishedJob]:
    """Finished jobs of a sweep by their digests."""
    text = f"tags.`mlflow.parentRunId` = '{parent}' and attributes.status = 'FINISHED'"
    found: dict[str, FinishedJob] = {}
    for run in search_all(client, experiment, text):
        tags = run.data.tags
        job = FinishedJob(run.info.run_id, str(run.info.run_name), tags.get("metric", ""), run.data.metrics)
        found.setdefault(tags.get("job_digest", ""), job)
    found.pop("", None)
    return found
