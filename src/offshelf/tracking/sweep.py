"""A sweep in MLflow: a parent run that is found again when it was broken off, and the jobs that are done under it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from offshelf.environment import variable
from offshelf.tracking.connection import search_all
from offshelf.tracking.journal import PARENT
from offshelf.tracking.process import is_dead, this_process
from offshelf.tracking.tracker import FinishedJob

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

JOB = "OFFSHELF_JOB_DIGEST"
"""Environment variable with the digest of the job that is being done."""


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


def close_dead(client: "MlflowClient", experiment: str) -> None:
    """Close as KILLED the runs of processes of this host that have died without a word: of SIGKILL, say."""
    host = this_process().partition(" ")[0]
    text = f"attributes.status = 'RUNNING' and tags.process LIKE '{host} %'"
    for run in search_all(client, experiment, text):
        if is_dead(run.data.tags["process"]):
            client.set_terminated(run.info.run_id, "KILLED")


def close_open(client: "MlflowClient", experiment: str, parent: str) -> None:
    """Close as KILLED what is still open under a run; for when nobody is left who works on it."""
    text = f"tags.`mlflow.parentRunId` = '{parent}' and attributes.status = 'RUNNING'"
    for run in search_all(client, experiment, text):
        close_open(client, experiment, run.info.run_id)
        client.set_terminated(run.info.run_id, "KILLED")


def unfinished(client: "MlflowClient", experiment: str, digest: str) -> str | None:
    """The newest sweep of a digest, those in progress apart, if it was broken off or had failures."""
    text = f"tags.sweep_digest = '{digest}' and attributes.status != 'RUNNING'"
    found = client.search_runs([experiment], text, max_results=1, order_by=["attributes.start_time DESC"])
    return found[0].info.run_id if found and found[0].info.status != "FINISHED" else None


def reopen(client: "MlflowClient", run: str) -> None:
    """Take over a run that has ended."""
    client.set_tag(run, "process", this_process())
    client.update_run(run, status="RUNNING")


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
