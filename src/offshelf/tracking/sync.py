"""Sending kept runs to MLflow: parents before children, each once however often it is asked for."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from offshelf.errors import TrackingError
from offshelf.tracking.connection import connect, explained, without_password
from offshelf.tracking.journal import FILE, Event, Journal, Kept, Shelf
from offshelf.tracking.sending import RUN_TAG, create, send

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

SENT_TAG = "offshelf_sent"
"""The tag with the number of a journal's events that a run in MLflow holds, set when it holds them all."""

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
    targets: set[str] = field(default_factory=set)
    """Stores, as a person knows them."""


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

        Raises:
            TrackingError: a folder has none, MLflow cannot be reached, or a journal is damaged.
        """
        from filelock import FileLock

        with FileLock(self.home / "sync.lock"):  # two at once would both miss a run, and open it twice
            return self._send(self._with_parents(_in_folders(folders) if folders else Shelf(self.home).waiting()))

    def _send(self, kept: dict[str, Kept]) -> Sent:
        sent = Sent(left=self._left_alone(kept))
        ready = [run for run in kept.values() if run.id not in sent.left]
        targets: dict[tuple[str, str], Target] = {}
        placed: dict[str, tuple[Target, str]] = {}
        for run in ready:  # all are there before one of them is filled, as they name each other
            uri = self.uri or run.start["uri"] or ""
            key = (uri, run.start["experiment"])
            target = targets.get(key) or targets.setdefault(key, Target.connect(self.home, *key))
            ids = {one: place for one, (_, place) in placed.items()}
            with explained(target.name):
                placed[run.id] = target, target.place(run, ids)
        ids = {one: place for one, (_, place) in placed.items()}
        for run in ready:
            target, place = placed[run.id]
            with explained(target.name):
                (sent.new if target.fill(run, place, ids) else sent.known).append(run)
            Shelf(self.home).sent(run.id)
            sent.targets.add(target.name)
        return sent

    def _with_parents(self, journals: Iterable[Journal]) -> dict[str, Kept]:
        """By their ids, parents first; those that are elsewhere in the home too."""
        found: dict[str, Kept] = {}
        shelf = Shelf(self.home)
        for journal in journals:
            if not (journal.folder / FILE).exists():
                raise TrackingError(f"A run that waits to be sent is gone: {journal.folder}. Put its folder back.")
            run = journal.read()
            found[run.id] = run
        for run in list(found.values()):
            while run.parent and run.parent not in found and (journal_of := shelf.find(run.parent)):
                run = journal_of.read()
                found[run.id] = run

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


@dataclass(frozen=True)
class Target:
    """An experiment that runs are sent to."""

    client: "MlflowClient"
    experiment: str
    name: str
    """As a person knows it."""

    @staticmethod
    def connect(home: Path, uri: str, experiment: str) -> "Target":
        """Raises TrackingError when it cannot be reached."""
        client, found = connect(home, uri or None, experiment)
        return Target(client, found, without_password(uri) if uri else str(home))

    def place(self, run: Kept, ids: dict[str, str]) -> str:
        """MLflow's id of a run, which is opened if it is not there.

        Raises:
            TrackingError: the beginning of the run, or its parent, is not there.
        """
        found = self.find(run.id)
        if found:
            return found
        if run.start["begun"]:
            raise TrackingError(
                f"The beginning of {run.start['name']} ({run.folder}) was sent elsewhere, not to {self.name}. Send the "
                f"rest there too: tracking.uri={without_password(run.start['uri'] or '')}"
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
        for text in (f"attributes.run_id = '{run}'", f"tags.{RUN_TAG} = '{run}'"):
            found = self.client.search_runs([self.experiment], text, max_results=1)
            if found:
                return str(found[0].info.run_id)
        return ""

    def fill(self, run: Kept, place: str, ids: dict[str, str]) -> bool:
        """Send what a run in MLflow lacks. Returns whether there was something."""
        events = str(len(run.events))
        if self.client.get_run(place).data.tags.get(SENT_TAG) == events:
            return False
        translate = _translation(ids)
        for event in run.events:
            if event["event"] == "log":
                names = {tag: translate(text) for tag, text in event["tags"].items() if tag in IDS}
                send(self.client, place, {**event, "tags": {**event["tags"], **names}})
            elif event["event"] == "file":
                send(self.client, place, event, _content(run, event, translate))
            elif event["event"] != "end":
                send(self.client, place, event)
        status, moment = run.ending or run.killed
        self.client.set_tag(place, SENT_TAG, events)
        send(self.client, place, {"event": "end", "status": status, "time": moment})
        return True


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
