"""An MLflow experiment that journaled runs are sent to, event by event."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, assert_never

from typing_extensions import override

from offshelf.errors import TrackingError
from offshelf.secret import masked
from offshelf.tracking.events import (
    PARENT_TAG,
    DatasetEvent,
    EndEvent,
    FileEvent,
    LaterEvent,
    LogEvent,
    ResumeEvent,
)
from offshelf.tracking.mlflow.client import connect, explain_errors
from offshelf.tracking.mlflow.notes import placed
from offshelf.tracking.mlflow.retries import is_unanswered, mlflow_errors
from offshelf.tracking.mlflow.sending import PARTIAL_TAG, RUN_TAG, create, send
from offshelf.tracking.outbox.journal import JournaledRun
from offshelf.tracking.outbox.sync import Target

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

SENT_TAG = "offshelf_sent"
"""Tag with the number of a journal's events that a run in MLflow has, set once it has them all."""

MOST_REFUSED_FILES = 3
"""Files in a row that may be refused before no more are tried, as each may have to wait for a timeout."""

ID_TAGS = ("best_run", "rerun_of")
"""Tags that name other runs."""


@dataclass
class MLflowTarget(Target):
    """An experiment of an MLflow store."""

    client: "MlflowClient"
    experiment: str
    name: str
    unanswered: Exception | None = None
    """Error of the call that the store did not answer; it is not asked again."""

    refused_files: int = 0
    """Number of files refused in a row."""

    @staticmethod
    def connect(home: Path, uri: str, experiment: str) -> "MLflowTarget":
        """Connect to an experiment, which is created if it is missing.

        Raises:
            TrackingError: The store cannot be reached.
        """
        client, found = connect(home, uri or None, experiment)
        return MLflowTarget(client, found, masked(uri) if uri else str(home))

    @override
    def require_answer(self) -> None:
        if self.unanswered:
            with explain_errors(self.name):
                raise self.unanswered

    @override
    def open(self, run: JournaledRun, ids: Mapping[str, str]) -> str:
        with explain_errors(self.name):
            found = self._find(run.id)
            if found:
                return found
            if run.start.begun:
                self._require_undeleted(run)
                raise TrackingError(
                    f"The beginning of {run.label} was sent elsewhere, not to {self.name}. Send the rest there too: "
                    f"tracking.uri={run.start.uri or ''}"
                )
            return create(self.client, self.experiment, replace(run.start, tags=self._tags(run, ids)))

    def _tags(self, run: JournaledRun, ids: Mapping[str, str]) -> dict[str, str]:
        """Return the tags of a new run, with its parent's id in the store."""
        parent = run.start.parent
        if not parent:
            return dict(run.start.tags)
        found = ids.get(parent) or self._find(parent)
        if not found:
            raise TrackingError(
                f"{run.label} belongs under the run {parent}, which is not here and not in {self.name}. Its journal is "
                "in the home of the machine that it ran on, in offline/runs: name that folder too."
            )
        return {**run.start.tags, PARENT_TAG: found}

    def _find(self, run: str) -> str:
        """Return the id of a run, given MLflow's id or its own; empty if it is missing."""
        from mlflow.entities import ViewType

        return self._search(run, ViewType.ACTIVE_ONLY)

    def _search(self, run: str, view: int) -> str:
        for text in (f"attributes.run_id = '{run}'", f"tags.{RUN_TAG} = '{run}'"):
            try:
                found = self.client.search_runs([self.experiment], text, view, max_results=1)
            except mlflow_errors() as error:
                self.unanswered = error if is_unanswered(error) else None
                raise
            if found:
                return str(found[0].info.run_id)
        return ""

    def _require_undeleted(self, run: JournaledRun) -> None:
        from mlflow.entities import ViewType

        deleted = self._search(run.id, ViewType.DELETED_ONLY)
        if deleted:
            raise TrackingError(
                f"The run {run.label} is deleted in {self.name}. Restore it, then sync again: mlflow runs restore "
                f"--run-id {deleted} (with MLFLOW_TRACKING_URI as tracking.uri)"
            )

    @override
    def fill(self, run: JournaledRun, sent_id: str, ids: Mapping[str, str]) -> bool:
        with explain_errors(self.name):
            events = str(len(run.events))
            tags = self.client.get_run(sent_id).data.tags
            if tags.get(SENT_TAG) == events:
                return False
            refused = [error for event in run.events if (error := self._try_send(run, sent_id, event, ids))]
            send(self.client, sent_id, run.end or run.killed)
            if not refused:  # this tag comes last: it means that the run is complete
                if PARTIAL_TAG in tags:
                    self.client.delete_tag(sent_id, PARTIAL_TAG)
                self.client.set_tag(sent_id, SENT_TAG, events)
        if refused:
            more = f", and {len(refused) - 1} more" if len(refused) > 1 else ""
            raise TrackingError(f"The run {run.label} is in {self.name}, except what was refused: {refused[0]}{more}")
        return True

    def _try_send(self, run: JournaledRun, sent_id: str, event: LaterEvent, ids: Mapping[str, str]) -> str:
        """Send an event. Returns the reason why it was refused; empty if it was not."""
        try:
            self._send(run, sent_id, event, ids)
        except TrackingError as error:
            return str(error)
        except mlflow_errors() as error:
            if is_unanswered(error):
                self.unanswered = error
                raise
            return f"{_label(event)}: {masked(' '.join(str(error).split())[:200])}"
        return ""

    def _send(self, run: JournaledRun, sent_id: str, event: LaterEvent, ids: Mapping[str, str]) -> None:
        match event:
            case LogEvent():
                named = {tag: _translate(text, ids) for tag, text in event.tags.items() if tag in ID_TAGS}
                known = replace(event, tags={**event.tags, **named})
                send(self.client, sent_id, placed(known, self.experiment, sent_id))
            case FileEvent():
                self._send_file(sent_id, event, _content(run, event, ids))
            case DatasetEvent() | ResumeEvent():
                send(self.client, sent_id, event)
            case EndEvent():
                pass  # `fill` ends the run, once, as it ended last
            case _:
                assert_never(event)

    def _send_file(self, sent_id: str, event: FileEvent, content: bytes | Path) -> None:
        if self.refused_files >= MOST_REFUSED_FILES:
            raise TrackingError(f"{event.name}: {self.name} has refused the files before it")
        self.refused_files += 1
        send(self.client, sent_id, event, content)
        self.refused_files = 0


def _label(event: LaterEvent) -> str:
    """Return what an event is called in a message."""
    match event:
        case FileEvent(name=name) | DatasetEvent(name=name):
            return name
        case LogEvent():
            return "log"
        case ResumeEvent():
            return "resume"
        case EndEvent():
            return "end"
        case _:
            assert_never(event)


def _translate(text: str, ids: Mapping[str, str]) -> str:
    """Replace the runs' own ids in a text by those that MLflow gave them."""
    return re.sub(r"\b[0-9a-f]{32}\b", lambda found: ids.get(found[0], found[0]), text)


def _content(run: JournaledRun, event: FileEvent, ids: Mapping[str, str]) -> bytes | Path:
    """Return the content of an artifact, which must be inside the run's folder, as the journal may come from anyone.

    The ids of other runs in a table are translated.
    """
    files = (run.folder / "files").resolve()
    try:
        path = (files / event.name).resolve(strict=True)
        if not path.is_relative_to(files):
            raise TrackingError(f"The run in {run.folder} names {event.name}, a file outside of its folder.")
        return _translate(path.read_text(encoding="utf-8"), ids).encode() if path.suffix == ".json" else path
    except TrackingError:
        raise
    except (OSError, RuntimeError, ValueError) as error:  # also names that are invalid, texts that are not UTF-8
        raise TrackingError(f"The run in {run.folder} has lost a file: {error}") from error
