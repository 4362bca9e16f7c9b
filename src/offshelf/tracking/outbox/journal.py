"""Runs stored in folders as plain text.

`<output folder>/tracking/<run id>/journal.jsonl` has one JSON object per line, in the order of events. Times are
milliseconds since 1970; non-finite numbers are written as the strings "nan", "inf" and "-inf". The events and their
fields:

    start     format (1), id, name, time, tags, experiment, uri (of the server the run is meant for, without its
              password, or null), begun (whether MLflow already has the run under this id, up to this point)
    log       time, params, metrics, tags
    file      time, name (of an artifact; its content is `files/<name>` beside the journal)
    dataset   time, name, digest, context, profile
    resume    time, process: an ended sweep is resumed
    end       time, status: FINISHED, FAILED or KILLED

The parent of a run is the tag `mlflow.parentRunId`, its process the tag `process`. The parent runs of sweeps, which
have no output folder, are in `<home>/offline/runs`; `<home>/offline` lists the folders of all runs of the home.
"""

import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from offshelf.errors import TrackingError
from offshelf.tracking.events import (
    EndEvent,
    Event,
    LaterEvent,
    LogEvent,
    ResumeEvent,
    StartEvent,
    from_json,
    now,
    to_json,
)
from offshelf.tracking.process import is_dead, this_process

FILE = "journal.jsonl"
"""Name of a journal in the folder of its run."""

BUSY = "busy"
"""Name of a file beside a journal with the names of processes, other than the run's own, that work with it."""


@dataclass(frozen=True)
class JournaledRun:
    """A run as it was read from its journal."""

    folder: Path
    start: StartEvent
    events: tuple[LaterEvent, ...]
    """All events after the start."""
    busy: tuple[str, ...] = ()
    """Processes that send the journal or do the last work of the run, or did."""

    @property
    def id(self) -> str:
        """MLflow's id if the run was begun there, else the run's own."""
        return self.start.id

    @property
    def label(self) -> str:
        """Name and folder, for messages."""
        return f"{self.start.name} ({self.folder})"

    @property
    def process(self) -> str:
        """Process that writes the run, or wrote it last."""
        resumed = [event.process for event in self.events if isinstance(event, ResumeEvent)]
        return resumed[-1] if resumed else self.start.process

    @property
    def end(self) -> EndEvent | None:
        """How the run ended; None while it is in progress.

        If its process died without writing an end, the status is KILLED and the time is that of the last event.
        """
        last = next((event for event in reversed(self.events) if isinstance(event, ResumeEvent | EndEvent)), None)
        if isinstance(last, EndEvent):
            return last
        return self.killed if is_dead(self.process) else None

    @property
    def killed(self) -> EndEvent:
        """The end of a run whose process died at its last event."""
        return EndEvent((self.events[-1] if self.events else self.start).time, "KILLED")

    @property
    def tags(self) -> dict[str, str]:
        """All tags; of a tag that was logged several times, the last value."""
        found = dict(self.start.tags)
        for event in self.events:
            found |= event.tags if isinstance(event, LogEvent) else {}
        return found

    @property
    def metrics(self) -> dict[str, float]:
        """All metrics; of a metric that was logged several times, the last value."""
        found: dict[str, float] = {}
        for event in self.events:
            found |= event.metrics if isinstance(event, LogEvent) else {}
        return found


@dataclass(frozen=True)
class Journal:
    """The journal of one run: a folder with events and artifacts."""

    folder: Path

    def write(self, event: Event) -> None:
        """Append an event.

        Raises:
            TrackingError: The folder cannot be written to.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with (self.folder / FILE).open("a", encoding="utf-8") as file:
                file.write(f"{to_json(event)}\n")
        except OSError as error:
            raise self._unwritable(error) from error

    def store(self, name: str, content: bytes | Path) -> None:
        """Store an artifact; a file is hard-linked where the file system allows it, so that it takes no extra space.

        Raises:
            TrackingError: The folder cannot be written to.
        """
        path = self.folder / "files" / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            if isinstance(content, bytes):
                path.write_bytes(content)
            else:
                _link_or_copy(content, path)
        except OSError as error:
            raise self._unwritable(error) from error

    def resume(self) -> None:
        """Continue a run that has ended.

        Raises:
            TrackingError: The folder cannot be written to.
        """
        path = self.folder / FILE
        try:
            whole = path.read_bytes().rpartition(b"\n")[0]  # without a last line that was cut short
            os.truncate(path, len(whole) + 1)
        except OSError as error:
            raise self._unwritable(error) from error
        self.write(ResumeEvent(now(), this_process()))

    def start_tags(self) -> Mapping[str, str]:
        """Return the tags that the run was opened with; none if its first line is missing or damaged."""
        try:
            with (self.folder / FILE).open(encoding="utf-8") as file:
                start = from_json(file.readline(), 1)
        except (OSError, ValueError):
            return {}
        return start.tags if isinstance(start, StartEvent) else {}

    def read(self) -> JournaledRun:
        """Read the whole journal, except a last line that was cut short.

        Raises:
            TrackingError: It is not a journal of a known format.
        """
        try:
            lines = (self.folder / FILE).read_text(encoding="utf-8").split("\n")[:-1]
            if not lines:
                raise ValueError("it has no complete line; its run may be starting at this moment")
            start, *events = (from_json(line, number) for number, line in enumerate(lines, 1))
        except (OSError, ValueError) as error:
            raise TrackingError(f"{self.folder / FILE} is not the journal of a run: {error}") from error
        later = tuple(event for event in events if not isinstance(event, StartEvent))
        assert isinstance(start, StartEvent)  # from_json accepts nothing else as the first line, and it only there
        return JournaledRun(self.folder, start, later, self._busy())

    def note_busy(self, process: str) -> None:
        """Note that another process works with the journal, so that no sync sends it meanwhile.

        Raises:
            TrackingError: The folder cannot be written to.
        """
        try:
            with (self.folder / BUSY).open("a", encoding="utf-8") as file:
                file.write(f"{process}\n")
        except OSError as error:
            raise self._unwritable(error) from error

    def remove(self) -> None:
        """Remove the journal of a run that was sent, and the folder around it if that is empty."""
        with suppress(OSError):
            shutil.rmtree(self.folder)
            self.folder.parent.rmdir()

    def _busy(self) -> tuple[str, ...]:
        try:
            return tuple((self.folder / BUSY).read_text(encoding="utf-8").splitlines())
        except (OSError, ValueError):
            return ()

    def _unwritable(self, error: OSError) -> TrackingError:
        return TrackingError(f"The run cannot be stored in {self.folder}: {error.strerror or error}.")


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another disk, or a file system without links
        shutil.copyfile(source, target)
