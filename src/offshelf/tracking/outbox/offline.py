"""A tracker that needs no store: runs are journaled in their output folders until `offshelf track sync` sends them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from typing_extensions import override

from offshelf.home import home_dir
from offshelf.tracking.events import PARENT_TAG
from offshelf.tracking.names import allowed_name
from offshelf.tracking.outbox.journal import JournaledRun
from offshelf.tracking.outbox.outbox import Outbox
from offshelf.tracking.outbox.sink import JournalSink, RunLocation
from offshelf.tracking.parent import JOB_TAG, SWEEP_TAG, nested_under, parent_tags
from offshelf.tracking.run import LoggedRun, new_start, open_run
from offshelf.tracking.tracker import FinishedJob, Run, SweepRun, Tracker


@dataclass(frozen=True)
class Offline(Tracker):
    """A tracker that journals runs, to be sent to MLflow later."""

    home: str | None = None
    uri: str | None = None
    """Where runs are sent unless the sync names another store; null: the SQLite store of the home."""
    experiment: str = "offshelf"

    @override
    def check(self) -> None:
        pass

    @override
    @contextmanager
    def start(self, name: str, folder: Path | None = None) -> Iterator[Run]:
        location = RunLocation(self._home, folder)
        start = new_start(name, self.experiment, self.uri, parent_tags())
        with open_run(partial(JournalSink.open, start, location)) as run:
            yield run

    @override
    @contextmanager
    def sweep(
        self, name: str, digest: str = "", resume: bool = False, shared: bool = False
    ) -> Iterator["OfflineSweep"]:
        # The parent's journal is in the home, as it has no output folder. It belongs to this process, `shared` or not.
        with open_run(partial(self._open_parent, name, digest, resume)) as run, nested_under(run.id):
            yield OfflineSweep(run, Outbox(self._home))

    def _open_parent(self, name: str, digest: str, resume: bool) -> JournalSink:
        """Open the parent run of a sweep: resume an earlier one, or begin a new one."""
        from filelock import FileLock

        location, outbox = RunLocation(self._home, None), Outbox(self._home)
        with FileLock(self._home / "sweep.lock"):  # if two processes start at once, only one resumes it
            earlier = self._unfinished(digest) if resume else None
            journal = outbox.find(earlier.id) if earlier else None
            if earlier and journal:
                journal.resume()
                outbox.add(earlier.id, journal)
                return JournalSink(earlier.start, location, journal, location.sync_command())
            start = new_start(name, self.experiment, self.uri, {SWEEP_TAG: digest})
            return JournalSink.open(start, location)

    @override
    def finished(self, digest: str) -> Mapping[str, FinishedJob]:
        earlier = self._unfinished(digest)
        return _finished_jobs(Outbox(self._home), earlier.id) if earlier else {}

    @property
    def _home(self) -> Path:
        return Path(home_dir(self.home))

    def _unfinished(self, digest: str) -> JournaledRun | None:
        """Return the newest ended sweep of a digest if it was interrupted or had failures; None otherwise."""
        ended = [run for run in Outbox(self._home).with_tag(SWEEP_TAG, digest) if run.end]
        newest = max(ended, key=lambda run: run.start.time, default=None)
        return newest if newest and newest.end and newest.end.status != "FINISHED" else None


@dataclass(frozen=True)
class OfflineSweep(SweepRun):
    """The journaled parent run of a sweep."""

    parent: LoggedRun
    outbox: Outbox
    folder: Path | None = None

    @property
    @override
    def id(self) -> str:
        return self.parent.id

    @property
    @override
    def run(self) -> LoggedRun:
        return self.parent

    @override
    def finished(self) -> Mapping[str, FinishedJob]:
        return _finished_jobs(self.outbox, self.id)

    @override
    def log_table(self, columns: Mapping[str, Sequence[Any]], file: str) -> None:
        self.parent.log_table(columns, file)


def _finished_jobs(outbox: Outbox, parent: str) -> dict[str, FinishedJob]:
    """Return the finished jobs of a sweep by their digests."""
    found: dict[str, FinishedJob] = {}
    for run in outbox.with_tag(PARENT_TAG, parent):
        if run.end and run.end.status == "FINISHED":
            tags = run.tags
            metrics = {allowed_name(name): value for name, value in run.metrics.items()}
            found[tags.get(JOB_TAG, "")] = FinishedJob(run.id, run.start.name, tags.get("metric", ""), metrics)
    found.pop("", None)
    return found
