"""Where kept runs are sent, event by event, and what came of each."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from offshelf.errors import TrackingError
from offshelf.secret import masked
from offshelf.tracking.connection import connect, explained
from offshelf.tracking.journal import Event, Kept
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


def _translation(ids: dict[str, str]) -> Callable[[str], str]:
    """From runs' own ids to those that MLflow gave them."""
    return lambda text: re.sub(r"\b[0-9a-f]{32}\b", lambda found: ids.get(found[0], found[0]), text)


def _content(run: Kept, event: Event, translate: Callable[[str], str]) -> bytes | Path:
    """An artifact; a table may name other runs. A journal may be anybody's: it names files of its own folder alone."""
    files = (run.folder / "files").resolve()
    try:
        path = (files / str(event["name"])).resolve(strict=True)
        if not path.is_relative_to(files):
            raise TrackingError(f"The run in {run.folder} names {event['name']}, a file outside of its folder.")
        return translate(path.read_text(encoding="utf-8")).encode() if path.suffix == ".json" else path
    except (OSError, RuntimeError, ValueError) as error:  # names that are none, texts that are no UTF-8, too
        raise TrackingError(f"The run in {run.folder} has lost a file: {error}") from error
