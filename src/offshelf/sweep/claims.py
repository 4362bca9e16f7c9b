"""Which process does which job of a sweep that several run, and how those that are done have ended.

A claim is that of the feature store: a lock, which the operating system lets go when its holder dies. Whoever has one
looks first whether the job has ended meanwhile, and writes down how it ends before letting go.
"""

import json
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from uuid import uuid4

from offshelf.config.job import Job
from offshelf.errors import StoreError
from offshelf.identity import digest
from offshelf.launcher import Ending, perform_job, perform_jobs
from offshelf.store.claim import Claim, claim

DONE_FILE, FAILED_FILE = "done.json", "failed.json"


@dataclass(frozen=True)
class Claims:
    """The claims of one sweep: which process runs which job."""

    folder: Path | None = None
    """The folder that its processes share; None if one process runs the sweep alone."""

    def do(self, job: Job, work: Callable[[Job], Ending]) -> Ending | None:
        """Run a job with `work`. Returns None if another process is running it, or has run it."""
        if self.folder is None:
            return work(job)
        mine = self._claim(job)
        if mine is None:
            return None
        try:
            if self.ending(job):
                return None
            ending = work(job)
            self._note(job, ending)
            return ending
        finally:
            mine.release()

    def ending(self, job: Job) -> Ending | None:
        """Return how a job ended, in whatever process; None if it has not."""
        for kind in (DONE_FILE, FAILED_FILE) if self.folder else ():
            with suppress(OSError):
                return Ending(**json.loads(self._file(job, kind).read_text(encoding="utf-8")))
        return None

    def is_free(self, job: Job) -> bool:
        """Return whether no process is running a job."""
        mine = self._claim(job)
        if mine:
            mine.release()
        return mine is not None

    def has_failed(self) -> bool:
        """Return whether a job has failed, in whatever process."""
        return self.folder is not None and any((self.folder / "jobs").glob(f"*.{FAILED_FILE}"))

    def _claim(self, job: Job) -> Claim | None:
        assert self.folder
        try:
            return claim(self.folder, _name(job))
        except StoreError:  # the home is full, say; a job that is done twice is better than none
            return Claim()

    def _note(self, job: Job, ending: Ending) -> None:
        file = self._file(job, FAILED_FILE if ending.error else DONE_FILE)
        with suppress(OSError):
            file.parent.mkdir(exist_ok=True)
            part = file.with_suffix(f".{uuid4().hex}")  # process numbers are those of one machine
            part.write_text(json.dumps(asdict(ending)), encoding="utf-8")
            part.replace(file)  # whole or not at all

    def _file(self, job: Job, kind: str) -> Path:
        assert self.folder
        return self.folder / "jobs" / f"{_name(job)}.{kind}"


def perform_claimed(jobs: Sequence[Job], claims: Claims, parent: str) -> Generator[Ending | None, None, None]:
    """Run the jobs of a piece as part of a sweep with this parent run; None for those that other processes do."""
    return perform_jobs(jobs, lambda job: claims.do(job, lambda own: perform_job(own, parent)))


def _name(job: Job) -> str:
    """Return a name of the job that is the same in all processes."""
    return digest([job.number, job.choices, job.digest])[:32]
