"""Running the jobs of a sweep, in whatever process they are done."""

import os
import time
import traceback
from collections.abc import Callable, Generator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from offshelf.config import perform
from offshelf.config.job import Job, as_in_hydra
from offshelf.errors import OffshelfError
from offshelf.memo import Memo, sharing
from offshelf.process.signals import obey
from offshelf.secret import masked
from offshelf.terminal import say
from offshelf.tracking import as_job_of

T = TypeVar("T")


@dataclass(frozen=True)
class Ending:
    """How a job ended."""

    value: float | None
    """The number of its result; None where it has none, or the job failed."""
    seconds: float
    error: str = ""
    """Why the job failed, in one sentence; empty if it did not."""


def perform_job(job: Job, parent: str) -> Ending:
    """Run a job as part of a sweep with this parent run; an error is part of what is returned."""
    begin = time.perf_counter()
    try:
        obey()
        with as_job_of(parent, job.digest), as_in_hydra(job):
            say(f"Begins: {job}", stderr=True)
            value = perform(job.values, job.folder).objective
        return Ending(None if value is None else float(value), time.perf_counter() - begin)
    except BaseException as error:
        obey(error)
        return Ending(None, time.perf_counter() - begin, describe(error, job.folder))


def perform_jobs(jobs: Sequence[Job], perform: Callable[[Job], T]) -> Generator[T, None, None]:
    """Run jobs that have work in common, each by `perform`: they share what one has computed for all."""
    memo = Memo()
    for job in jobs:
        with sharing(memo) if len(jobs) > 1 else nullcontext():
            result = perform(job)
        yield result


def describe(error: BaseException, folder: Path) -> str:
    """Return an error as one sentence; the traceback of one that is not the user's is kept in the job's folder."""
    if isinstance(error, OffshelfError):
        return str(masked(str(error)))
    text = masked("".join(traceback.format_exception(error)))
    file = folder / "traceback.txt"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    except OSError:
        return text
    return f"{type(error).__name__}: {masked(str(error))} (traceback in {file})"


def common_folder(jobs: Sequence[Job]) -> Path:
    """Return the output folder of a sweep, which holds those of its jobs."""
    return Path(os.path.commonpath([job.folder for job in jobs]))
