"""The sweep that this process works for, named by environment variables, which its child processes inherit."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from offshelf.process.environment import variable
from offshelf.tracking.events import PARENT_TAG

PARENT = "OFFSHELF_PARENT_RUN"
"""Environment variable with the id of a sweep's parent run."""

JOB = "OFFSHELF_JOB_DIGEST"
"""Environment variable with the digest of the job that is being done."""

JOB_TAG = "job_digest"
"""Tag with the digest of a job."""

SWEEP_TAG = "sweep_digest"
"""Tag of a parent run with the digest of the sweep's command."""


@contextmanager
def nested_under(parent: str) -> Iterator[None]:
    """Nest the runs that are started inside the block, in this process and its children, under a parent run."""
    with variable(PARENT, parent):
        yield


@contextmanager
def as_job_of(parent: str, job: str) -> Iterator[None]:
    """Mark the runs that are started inside the block as the job with this digest of the sweep `parent`."""
    with variable(PARENT, parent), variable(JOB, job):
        yield


def parent_tags() -> dict[str, str]:
    """Return the tags that make a run a job of the current sweep; empty outside of a sweep."""
    named = {PARENT_TAG: os.environ.get(PARENT), JOB_TAG: os.environ.get(JOB)}
    return {name: value for name, value in named.items() if value}


def is_job() -> bool:
    """Return whether this process works for a sweep."""
    return bool(parent_tags())
