"""Sending journaled runs: parents before children, each run once however often it is sent."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from offshelf.errors import TrackingError
from offshelf.secret import masked
from offshelf.tracking.outbox.journal import FILE, Journal, JournaledRun
from offshelf.tracking.outbox.outbox import Outbox, noted_journal
from offshelf.tracking.process import is_dead


class Target(Protocol):
    """An experiment in a store that runs are sent to."""

    name: str
    """Name of the store, for messages."""

    def require_answer(self) -> None:
        """Raise TrackingError if the store has stopped answering; it is not asked again."""

    def open(self, run: JournaledRun, ids: Mapping[str, str]) -> str:
        """Find a run in the store, or create it there.

        Args:
            run: The run, whose parent was opened before.
            ids: Ids in the store of the runs that were opened so far, by their own ids.

        Returns:
            Its id in the store.

        Raises:
            TrackingError: The store fails, or lacks the beginning of the run, or its parent.
        """

    def fill(self, run: JournaledRun, sent_id: str, ids: Mapping[str, str]) -> bool:
        """Send what the run `sent_id` in the store lacks. Returns whether it lacked something.

        Raises:
            TrackingError: Something was refused; everything else is sent.
        """


Connect = Callable[[Path, str, str], Target]
"""Connects to a target, given the home, the URI (empty: the SQLite store of the home), and the experiment."""


@dataclass(frozen=True)
class SyncResult:
    """Outcome of a sync."""

    new: list[JournaledRun] = field(default_factory=list)
    """Runs that were sent or completed."""
    known: list[JournaledRun] = field(default_factory=list)
    """Runs that the store already had in full."""
    skipped: dict[str, str] = field(default_factory=dict)
    """Reasons why runs in progress were skipped, by their ids."""
    failed: dict[str, str] = field(default_factory=dict)
    """Reasons why runs, or damaged notes of the outbox, were not sent or only in part, by their ids."""
    targets: set[str] = field(default_factory=set)
    """Names of the stores that runs were sent to."""

    def require_success(self) -> None:
        """Raise TrackingError with each distinct reason if something was not sent."""
        if self.failed:
            reasons = Counter(self.failed.values())
            told = [f"{reason}{f' ({count} runs)' if count > 1 else ''}" for reason, count in reasons.items()]
            runs = f"{len(self.failed)} run{'' if len(self.failed) == 1 else 's'}"
            raise TrackingError("\n".join([f"{runs} not sent; nothing was deleted:", *told]))


@dataclass(frozen=True)
class Sync:
    """Sends the journaled runs of a home, or of folders."""

    home: Path
    connect: Connect
    uri: str = ""
    """Store to send runs to; empty: the one that each run was meant for."""
    assume_ended: bool = False
    """Whether runs without an end count as killed if it is not known whether their processes are alive."""

    def send(self, folders: Sequence[Path]) -> SyncResult:
        """Send the runs in these folders, or all that wait in the home, with the parents that they need.

        A run that cannot be sent does not keep others from being sent.

        Raises:
            TrackingError: A folder has no journal.
        """
        from filelock import FileLock

        with FileLock(self.home / "sync.lock"):  # two syncs at once would both create a run that is missing
            result = SyncResult()
            journals = _journals_in(folders) if folders else self._waiting(result.failed)
            self._send(self._with_parents(journals, result.failed), result)
            return result

    def _send(self, runs: dict[str, JournaledRun], result: SyncResult) -> None:
        result.skipped.update(self._in_progress(runs))
        ready = [run for run in runs.values() if run.id not in result.skipped]
        targets: dict[tuple[str, str], Target | TrackingError] = {}
        opened: dict[str, tuple[Target, str]] = {}
        ids: dict[str, str] = {}
        for run in ready:  # runs name each other, so all are opened before the first is filled
            with _collecting_failure(run, result.failed):
                target = self._target(run, targets)
                ids[run.id] = target.open(run, ids)
                opened[run.id] = target, ids[run.id]
        for run in ready:
            if run.id in opened:
                self._fill(run, *opened[run.id], ids, result)

    def _target(self, run: JournaledRun, targets: dict[tuple[str, str], Target | TrackingError]) -> Target:
        """Return the target of a run; a target that cannot be reached is tried only once."""
        uri = run.start.uri or ""
        if uri and not self.uri and not Outbox(self.home).find(run.id):
            raise TrackingError(
                f"{run.label} is not a run of this home, and was meant for {masked(uri)}. Name the store to send it "
                f"to: tracking.uri={masked(uri)}, or another"
            )
        key = (self.uri or uri, run.start.experiment)
        if key not in targets:
            try:
                targets[key] = self.connect(self.home, *key)
            except TrackingError as error:
                targets[key] = error
        target = targets[key]
        if isinstance(target, TrackingError):
            raise target
        target.require_answer()
        return target

    def _fill(self, run: JournaledRun, target: Target, sent_id: str, ids: dict[str, str], result: SyncResult) -> None:
        with _collecting_failure(run, result.failed):
            target.require_answer()
            (result.new if target.fill(run, sent_id, ids) else result.known).append(run)
            Outbox(self.home).mark_sent(run.id)
            result.targets.add(target.name)

    def _waiting(self, failed: dict[str, str]) -> list[Journal]:
        found = []
        for note in Outbox(self.home).notes():
            try:
                journal = noted_journal(note)
            except TrackingError as error:
                failed[note.stem] = str(error)
                continue
            if (journal.folder / FILE).exists():
                found.append(journal)
            else:
                failed[note.stem] = (
                    f"A run that waits to be sent is gone: {journal.folder}. Restore its folder, or give the run up by "
                    f"removing {note}"
                )
        return found

    def _with_parents(self, journals: Iterable[Journal], failed: dict[str, str]) -> dict[str, JournaledRun]:
        """Read journals, and those of parents elsewhere in the home. Returns runs by their ids, parents first."""
        found: dict[str, JournaledRun] = {}
        outbox = Outbox(self.home)

        def read(journal: Journal) -> JournaledRun | None:
            try:
                run = journal.read()
            except TrackingError as error:
                failed[journal.folder.name] = str(error)
                return None
            return found.setdefault(run.id, run)

        for journal in journals:
            run = read(journal)
            while run and run.start.parent and run.start.parent not in found:
                above = outbox.find(run.start.parent)
                run = read(above) if above else None

        depths = {run.id: _depth(run, found) for run in found.values()}
        for run in found.values():
            if depths[run.id] is None:
                failed[run.id] = f"{run.label} is nested under a run that is nested under itself."
        sound = [run for run in found.values() if run.id not in failed]
        return {run.id: run for run in sorted(sound, key=lambda run: (depths[run.id], run.start.time))}

    def _in_progress(self, runs: dict[str, JournaledRun]) -> dict[str, str]:
        """Return the runs in progress, and those nested under them, with the reason for skipping each."""
        skipped: dict[str, str] = {}
        for run in runs.values():
            if run.end is None and not self.assume_ended:
                skipped[run.id] = (
                    f"Skipped: {run.label} has not ended; its process is {' '.join(run.process.split()[:2])}. Sync "
                    "again when it has; if that process is gone, with --ended."
                )
            elif not all(map(is_dead, run.busy)) and not self.assume_ended:
                skipped[run.id] = (
                    f"Skipped: {run.label} is being sent. Sync again later, or with --ended if nothing sends it."
                )
            elif run.start.parent in skipped:
                skipped[run.id] = f"Skipped: {run.label} belongs to a run that has not ended."
        return skipped


@contextmanager
def _collecting_failure(run: JournaledRun, failed: dict[str, str]) -> Iterator[None]:
    """Collect the reason why a run is not sent, so that the sync goes on with the others."""
    try:
        yield
    except TrackingError as error:
        failed[run.id] = str(error)


def _depth(run: JournaledRun, others: Mapping[str, JournaledRun]) -> int | None:
    """Return the number of runs above a run; None if they form a cycle."""
    above = 0
    while run.start.parent in others:
        run, above = others[run.start.parent], above + 1
        if above > len(others):
            return None
    return above


def _journals_in(folders: Sequence[Path]) -> list[Journal]:
    found = []
    for folder in folders:
        files = sorted(folder.rglob(FILE))
        if not files:
            raise TrackingError(f"{folder} has no run that could be sent: it has no {FILE}.")
        found += [Journal(file.parent) for file in files]
    return found
