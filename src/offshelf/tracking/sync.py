"""Sending kept runs to MLflow: parents before children, each once however often it is asked for."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from offshelf.errors import TrackingError
from offshelf.secret import masked
from offshelf.tracking.connection import connect, explained
from offshelf.tracking.journal import FILE, Event, Journal, Kept, Shelf, noted
from offshelf.tracking.patient import failures, is_silence
from offshelf.tracking.sending import KEPT_TAG, RUN_TAG, create, send

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

SENT_TAG = "offshelf_sent"
"""The tag with the number of a journal's events that a run in MLflow holds, set when it holds them all."""

MOST_REFUSED = 3
"""Files that are tried in a row where none is taken: each may be waited for until a time is over."""

IDS = ("best_run", "rerun_of")
"""Tags that name other runs."""


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
        key = (self.uri or run.start["uri"] or "", run.start["experiment"])
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

        def depth(run: Kept) -> int:
            return 1 + depth(found[run.parent]) if run.parent in found else 0

        return {run.id: run for run in sorted(found.values(), key=lambda run: (depth(run), run.start["time"]))}

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


@dataclass
class Target:
    """An experiment that runs are sent to."""

    client: "MlflowClient"
    experiment: str
    name: str
    """As a person knows it."""
    silence: Exception | None = None
    """What came instead of an answer; nothing more is asked then."""

    refused_files: int = 0
    """In a row."""

    def require_answer(self) -> None:
        """Raise TrackingError where it has not answered before."""
        if self.silence:
            with explained(self.name):
                raise self.silence

    @staticmethod
    def connect(home: Path, uri: str, experiment: str) -> "Target":
        """Raises TrackingError when it cannot be reached."""
        client, found = connect(home, uri or None, experiment)
        return Target(client, found, masked(uri) if uri else str(home))

    def place(self, run: Kept, ids: dict[str, str]) -> str:
        """MLflow's id of a run, which is opened if it is not there.

        Raises:
            TrackingError: the beginning of the run, or its parent, is not there.
        """
        found = self.find(run.id)
        if found:
            return found
        if run.start["begun"]:
            self._require_undeleted(run)
            raise TrackingError(
                f"The beginning of {run.start['name']} ({run.folder}) was sent elsewhere, not to {self.name}. Send the "
                f"rest there too: tracking.uri={run.start['uri'] or ''}"
            )
        tags = dict(run.start["tags"])
        if run.parent:
            tags["mlflow.parentRunId"] = ids.get(run.parent) or self.find(run.parent) or ""
            if not tags["mlflow.parentRunId"]:
                raise TrackingError(
                    f"{run.start['name']} ({run.folder}) belongs under the run {run.parent}, which is not here and not "
                    f"in {self.name}. It is in the home that it ran in, in offline/runs: name that folder too."
                )
        return create(self.client, self.experiment, {**run.start, "tags": tags})

    def find(self, run: str) -> str:
        """A run by MLflow's id or by its own; empty where it is not there."""
        from mlflow.entities import ViewType

        return self._search(run, ViewType.ACTIVE_ONLY)

    def _search(self, run: str, view: int) -> str:
        for text in (f"attributes.run_id = '{run}'", f"tags.{RUN_TAG} = '{run}'"):
            try:
                found = self.client.search_runs([self.experiment], text, view, max_results=1)
            except failures() as error:
                self.silence = error if is_silence(error) else None
                raise
            if found:
                return str(found[0].info.run_id)
        return ""

    def _require_undeleted(self, run: Kept) -> None:
        from mlflow.entities import ViewType

        deleted = self._search(run.id, ViewType.DELETED_ONLY)
        if deleted:
            raise TrackingError(
                f"The run {run.start['name']} ({run.folder}) is deleted in {self.name}. Restore it, then sync again: "
                f"mlflow runs restore --run-id {deleted} (with MLFLOW_TRACKING_URI as tracking.uri)"
            )

    def fill(self, run: Kept, place: str, ids: dict[str, str]) -> bool:
        """Send what a run in MLflow lacks. Returns whether there was something.

        Raises:
            TrackingError: something was not taken; all else is sent.
        """
        events = str(len(run.events))
        there = self.client.get_run(place).data.tags
        if there.get(SENT_TAG) == events:
            return False
        refused = [error for event in run.events if (error := self._sent(run, place, event, ids))]
        status, moment = run.ending or run.killed
        send(self.client, place, {"event": "end", "status": status, "time": moment})
        if not refused:  # the tag comes last: with it, the run is whole
            if KEPT_TAG in there:
                self.client.delete_tag(place, KEPT_TAG)
            self.client.set_tag(place, SENT_TAG, events)
        if refused:
            more = f", and {len(refused) - 1} more" if len(refused) > 1 else ""
            raise TrackingError(
                f"The run {run.start['name']} ({run.folder}) is in {self.name}, save what was not taken: "
                f"{refused[0]}{more}"
            )
        return True

    def _sent(self, run: Kept, place: str, event: Event, ids: dict[str, str]) -> str:
        """Send an event. Returns why it was not taken; empty where it was."""
        translate = _translation(ids)
        try:
            if event["event"] == "log":
                names = {tag: translate(text) for tag, text in event["tags"].items() if tag in IDS}
                send(self.client, place, {**event, "tags": {**event["tags"], **names}})
            elif event["event"] == "file":
                self._send_file(place, event, _content(run, event, translate))
            elif event["event"] != "end":
                send(self.client, place, event)
        except TrackingError as error:
            return str(error)
        except failures() as error:
            if is_silence(error):
                self.silence = error
                raise
            return f"{event.get('name', event['event'])}: {masked(' '.join(str(error).split())[:200])}"
        return ""

    def _send_file(self, place: str, event: Event, content: bytes | Path) -> None:
        if self.refused_files >= MOST_REFUSED:
            raise TrackingError(f"{event['name']}: {self.name} has not taken files before")
        self.refused_files += 1
        send(self.client, place, event, content)
        self.refused_files = 0


@contextmanager
def _noting(run: Kept, failed: dict[str, str]) -> Iterator[None]:
    """Why a run is not sent, instead of an end to all."""
    try:
        yield
    except TrackingError as error:
        failed[run.id] = str(error)


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


def _translation(ids: dict[str, str]) -> Callable[[str], str]:
    """From runs' own ids to those that MLflow gave them."""
    return lambda text: re.sub(r"\b[0-9a-f]{32}\b", lambda found: ids.get(found[0], found[0]), text)


def _content(run: Kept, event: Event, translate: Callable[[str], str]) -> bytes | Path:
    """An artifact; a table may name other runs."""
    path = run.folder / "files" / str(event["name"])
    try:
        return translate(path.read_text(encoding="utf-8")).encode() if path.suffix == ".json" else path
    except (OSError, UnicodeDecodeError) as error:
        raise TrackingError(f"The run in {run.folder} has lost a file: {error}") from error
