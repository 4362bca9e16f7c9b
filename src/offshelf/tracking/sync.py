"""Sending kept runs to MLflow: parents before children, each once however often it is asked for."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from offshelf.errors import TrackingError
from offshelf.secret import masked
from offshelf.tracking.connection import explained
from offshelf.tracking.journal import FILE, Journal, Kept
from offshelf.tracking.shelf import Shelf, noted
from offshelf.tracking.target import Target


@dataclass(frozen=True)
class Sent:
    """What came of it."""

    new: list[Kept] = field(default_factory=list)
    """Sent, or completed."""
    known: list[Kept] = field(default_factory=list)
    """MLflow had all of them."""
    left: dict[str, str] = field(default_factory=dict)
    """Why runs were left alone, by their ids."""
    failed: dict[str, str] = field(default_factory=dict)
    """Why runs, or what is noted of them, were not sent, or not wholly; by their ids."""
    targets: set[str] = field(default_factory=set)
    """Stores, as a person knows them."""

    def require_success(self) -> None:
        """Raise TrackingError where something was not sent: each reason, once."""
        if self.failed:
            reasons = Counter(self.failed.values())
            told = [f"{reason}{f' ({count} runs)' if count > 1 else ''}" for reason, count in reasons.items()]
            raise TrackingError("\n".join([f"{_number(len(self.failed))} not sent, nothing of it deleted:", *told]))


@dataclass(frozen=True)
class Sync:
    """Where kept runs are sent."""

    home: Path
    uri: str = ""
    """Empty: where each was meant for."""
    assume_ended: bool = False
    """Whether runs without an end count as killed, of which it cannot be told whether their processes live."""

    def send(self, folders: Sequence[Path]) -> Sent:
        """Send the runs in these folders, or all that wait in the home, with the parents that they need.

        One that cannot be sent stands in no other's way.

        Raises:
            TrackingError: a folder has none.
        """
        from filelock import FileLock

        with FileLock(self.home / "sync.lock"):  # two at once would both miss a run, and open it twice
            sent = Sent()
            journals = _in_folders(folders) if folders else self._waiting(sent.failed)
            self._send(self._with_parents(journals, sent.failed), sent)
            return sent

    def _send(self, kept: dict[str, Kept], sent: Sent) -> None:
        sent.left.update(self._left_alone(kept))
        ready = [run for run in kept.values() if run.id not in sent.left]
        targets: dict[tuple[str, str], Target | TrackingError] = {}
        placed: dict[str, tuple[Target, str]] = {}
        ids: dict[str, str] = {}
        for run in ready:  # all are there before one of them is filled, as they name each other
            with _noting(run, sent.failed):
                target = self._target(run, targets)
                with explained(target.name):
                    ids[run.id] = target.place(run, ids)
                placed[run.id] = target, ids[run.id]
        for run in ready:
            if run.id in placed:
                self._fill(run, *placed[run.id], ids, sent)

    def _target(self, run: Kept, targets: "dict[tuple[str, str], Target | TrackingError]") -> "Target":
        """Where a run is sent; what cannot be reached is tried once."""
        uri = run.start["uri"] or ""
        if uri and not self.uri and not Shelf(self.home).find(run.id):
            raise TrackingError(
                f"{run.start['name']} ({run.folder}) is no run of this home, and was meant for {masked(uri)}. Say "
                f"where it goes: tracking.uri={masked(uri)}, or another"
            )
        key = (self.uri or uri, run.start["experiment"])
        if key not in targets:
            try:
                targets[key] = Target.connect(self.home, *key)
            except TrackingError as error:
                targets[key] = error
        target = targets[key]
        if isinstance(target, TrackingError):
            raise target
        target.require_answer()
        return target

    def _fill(self, run: Kept, target: "Target", place: str, ids: dict[str, str], sent: Sent) -> None:
        with _noting(run, sent.failed):
            target.require_answer()
            with explained(target.name):
                (sent.new if target.fill(run, place, ids) else sent.known).append(run)
            Shelf(self.home).sent(run.id)
            sent.targets.add(target.name)

    def _waiting(self, failed: dict[str, str]) -> list[Journal]:
        found = []
        for entry in Shelf(self.home).entries():
            try:
                journal = noted(entry)
            except TrackingError as error:
                failed[entry.stem] = str(error)
                continue
            if (journal.folder / FILE).exists():
                found.append(journal)
            else:
                failed[entry.stem] = (
                    f"A run that waits to be sent is gone: {journal.folder}. Put its folder back, or give it up: "
                    f"remove {entry}"
                )
        return found

    def _with_parents(self, journals: Iterable[Journal], failed: dict[str, str]) -> dict[str, Kept]:
        """By their ids, parents first; those that are elsewhere in the home too."""
        found: dict[str, Kept] = {}
        shelf = Shelf(self.home)

        def read(journal: Journal) -> Kept | None:
            try:
                run = journal.read()
            except TrackingError as error:
                failed[journal.folder.name] = str(error)
                return None
            return found.setdefault(run.id, run)

        for journal in journals:
            run = read(journal)
            while run and run.parent and run.parent not in found and (journal_of := shelf.find(run.parent)):
                run = read(journal_of)

        depths = {run.id: _depth(run, found) for run in found.values()}
        for run in found.values():
            if depths[run.id] is None:
                failed[run.id] = f"{run.start['name']} ({run.folder}) belongs under a run that belongs under itself."
        sound = [run for run in found.values() if run.id not in failed]
        return {run.id: run for run in sorted(sound, key=lambda run: (depths[run.id], run.start["time"]))}

    def _left_alone(self, kept: dict[str, Kept]) -> dict[str, str]:
        """Runs that go on, and those under them, with the reason."""
        left: dict[str, str] = {}
        for run in kept.values():
            name = f"{run.start['name']} ({run.folder})"
            if run.ending is None and not self.assume_ended:
                left[run.id] = (
                    f"Left alone: {name} has not ended; its process is {' '.join(run.process.split()[:2])}. Sync again "
                    "when it has; if that process is gone, with --ended."
                )
            elif run.parent in left:
                left[run.id] = f"Left alone: {name} belongs to a run that has not ended."
        return left


@contextmanager
def _noting(run: Kept, failed: dict[str, str]) -> Iterator[None]:
    """Why a run is not sent, instead of an end to all."""
    try:
        yield
    except TrackingError as error:
        failed[run.id] = str(error)


def _depth(run: Kept, others: Mapping[str, Kept]) -> int | None:
    """How many runs are above it; None where they go in a circle."""
    above = 0
    while run.parent in others:
        run, above = others[run.parent], above + 1
        if above > len(others):
            return None
    return above


def _number(runs: int) -> str:
    return f"{runs} run{'' if runs == 1 else 's'}"


def _in_folders(folders: Sequence[Path]) -> list[Journal]:
    found = []
    for folder in folders:
        files = sorted(folder.rglob(FILE))
        if not files:
            raise TrackingError(f"{folder} keeps no run that could be sent: it has no {FILE}.")
        found += [Journal(file.parent) for file in files]
    return found
