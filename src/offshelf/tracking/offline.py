"""Tracking without MLflow at hand: all of a run is kept in its output folder, until `offshelf track sync` sends it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from offshelf.home import home_dir
from offshelf.tracking.journal import Kept, opening
from offshelf.tracking.logged import JournalSink, LoggedRun, closing
from offshelf.tracking.sending import allowed_name
from offshelf.tracking.shelf import Place, Shelf
from offshelf.tracking.sweep import surroundings, under
from offshelf.tracking.tracker import FinishedJob, Run


@dataclass(frozen=True)
class Offline:
    """See Tracker."""

    home: str | None = None
    uri: str | None = None
    """Where runs are sent if nothing else is said then; null: the SQLite store of the home."""
    experiment: str = "offshelf"

    def check(self) -> None:
        """Nothing can be missing."""

    @contextmanager
    def start(self, name: str, folder: Path | None = None) -> Iterator[Run]:
        """See Tracker."""
        place = Place(self._home, folder)
        start = opening(name, self.experiment, self.uri, surroundings())
        with closing(partial(JournalSink.open, start, place, place.command())) as run:
            yield run

    @contextmanager
    def sweep(
        self, name: str, digest: str = "", resume: bool = False, shared: bool = False
    ) -> Iterator["OfflineSweep"]:
        """See Tracker; the parent's journal is in the home, as it has no output folder, and this process's own."""
        place, shelf = Place(self._home, None), Shelf(self._home)
        with closing(partial(self._parent, place, shelf, name, digest, resume)) as run, under(run.id):
            yield OfflineSweep(run, shelf)

    def _parent(self, place: Place, shelf: Shelf, name: str, digest: str, resume: bool) -> JournalSink:
        """The journal of a sweep: of one that is taken up again, or a new one."""
        from filelock import FileLock

        with FileLock(self._home / "sweep.lock"):  # of two that start at once, one takes it up
            earlier = self._unfinished(digest) if resume else None
            journal = shelf.find(earlier.id) if earlier else None
            if earlier and journal:
                journal.resume()
                shelf.add(earlier.id, journal)
                return JournalSink(earlier.start, place, journal, place.command())
            start = opening(name, self.experiment, self.uri, {"sweep_digest": digest})
            return JournalSink.open(start, place, place.command())

    def finished(self, digest: str) -> Mapping[str, FinishedJob]:
        """See Tracker."""
        earlier = self._unfinished(digest)
        return _finished_jobs(Shelf(self._home), earlier.id) if earlier else {}

    @property
    def _home(self) -> Path:
        return Path(home_dir(self.home))

    def _unfinished(self, digest: str) -> Kept | None:
        """The newest sweep of a digest, those in progress apart, if it was broken off or had failures."""
        same = Shelf(self._home).tagged("sweep_digest", digest)
        ended = [(kept.start["time"], kept.ending[0], kept) for kept in same if kept.ending]
        if not ended:
            return None
        _, status, newest = max(ended, key=lambda one: one[0])
        return newest if status != "FINISHED" else None


@dataclass(frozen=True)
class OfflineSweep:
    """See SweepRun."""

    run: LoggedRun
    shelf: Shelf
    folder: Path | None = None

    @property
    def id(self) -> str:
        """See SweepRun."""
        return self.run.id

    def finished(self) -> Mapping[str, FinishedJob]:
        """See SweepRun."""
        return _finished_jobs(self.shelf, self.id)

    def log_table(self, columns: Mapping[str, Sequence[Any]], file: str) -> None:
        """See SweepRun."""
        self.run.log_table(columns, file)


def _finished_jobs(shelf: Shelf, parent: str) -> dict[str, FinishedJob]:
    """Finished jobs of a sweep by their digests."""
    found: dict[str, FinishedJob] = {}
    for kept in shelf.tagged("mlflow.parentRunId", parent):
        if kept.ending and kept.ending[0] == "FINISHED":
            tags = kept.collected("tags")
            metrics = {allowed_name(name): float(value) for name, value in kept.collected("metrics").items()}
            found[tags.get("job_digest", "")] = FinishedJob(
                kept.id, kept.start["name"], tags.get("metric", ""), metrics
            )
    found.pop("", None)
    return found
