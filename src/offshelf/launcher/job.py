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
from offshelf.process.signals import is_asked
from offshelf.secret import masked
from offshelf.terminal import say
from offshelf.tracking import belonging

T = TypeVar("T")


@dataclass(frozen=True)
class Ending:
    """How a job ended."""

    value: float | None
    """The number of its result; None where it has none, or the job failed."""
    seconds: float
    error: str = ""
    """Why it failed, in one sentence; empty where it did not."""


def perform_job(job: Job, parent: str) -> Ending:
    """Run a job as part of a sweep with this parent run; whatever goes wrong in it is in what it returns."""
    begin = time.perf_counter()
    try:
        with belonging(parent, job.digest), as_in_hydra(job):
            say(f"Begins: {job}", stderr=True)
            value = perform(job.values, job.folder).objective
        return Ending(None if value is None else float(value), time.perf_counter() - begin)
    except BaseException as error:
        if is_asked(error):
            raise
        return Ending(None, time.perf_counter() - begin, describe(error, job.folder))


def perform_jobs(jobs: Sequence[Job], perform: Callable[[Job], T]) -> Generator[T, None, None]:
    """Run jobs that have work in common, each as `perform` does: what one has made for all, the others find."""
    memo = Memo()
    for job in jobs:
        with sharing(memo) if len(jobs) > 1 else nullcontext():
            result = perform(job)
        yield result


def describe(error: BaseException, folder: Path) -> str:
    """An error as one sentence; one that is not the user's is kept in full in the folder of the job."""
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
    """The folder of a sweep's output, in which those of its jobs are."""
    return Path(os.path.commonpath([job.folder for job in jobs]))
