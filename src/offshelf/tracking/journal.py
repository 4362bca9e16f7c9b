"""Runs kept in folders, as plain text, until they are sent to MLflow.

`<output folder>/tracking/<run id>/journal.jsonl` has a JSON object a line, in the order of events; times are
milliseconds since 1970, numbers that JSON has not are the texts `nan`, `inf` and `-inf`. What an event carries:

    start     format (1), id, name, time, tags, experiment, uri (of the server it is meant for, without its password,
              or null), begun (whether MLflow has it already, up to here, under this id)
    log       time, params, metrics, tags
    file      time, name (of an artifact; its content is `files/<name>` beside the journal)
    dataset   time, name, digest, context, profile
    resume    time, process: an ended sweep is taken up again
    end       time, status: FINISHED, FAILED or KILLED

A run's parent is the tag `mlflow.parentRunId`, its process the tag `process`. Runs without an output folder, the
parents of sweeps, are in `<home>/offline/runs`; `<home>/offline` lists where all runs of the home are.
"""

import json
import math
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

from offshelf.errors import TrackingError
from offshelf.secret import masked
from offshelf.tracking.event import require_event
from offshelf.tracking.process import is_dead, this_process
from offshelf.tracking.provenance import provenance

FILE = "journal.jsonl"
FORMAT = 1

PARENT = "OFFSHELF_PARENT_RUN"
"""Environment variable with the id of the run that a sweep's runs belong under."""

Event = Mapping[str, Any]
"""One line of a journal."""


def now() -> int:
    """Milliseconds since 1970."""
    return int(time.time() * 1000)


def opening(name: str, experiment: str, uri: str | None, tags: Mapping[str, str]) -> dict[str, Any]:
    """The `start` of a new run of this process."""
    sound = name.encode("utf-8", "backslashreplace").decode()  # of a folder whose name is no UTF-8
    everything = {**provenance(), "process": this_process(), **tags}
    run = {"format": FORMAT, "id": uuid4().hex, "name": masked(sound), "time": now(), "tags": everything}
    return {"event": "start", **run, "experiment": experiment, "uri": masked(uri), "begun": False}


@dataclass(frozen=True)
class Kept:
    """A run as its journal has it."""

    folder: Path
    start: Event
    events: tuple[Event, ...]
    """All after the start."""

    @property
    def id(self) -> str:
        """MLflow's where it was begun there, else its own."""
        return str(self.start["id"])

    @property
    def parent(self) -> str:
        """Id of the run that it belongs under, or empty."""
        return str(self.start["tags"].get("mlflow.parentRunId", ""))

    @property
    def process(self) -> str:
        """Which writes it, or has written it."""
        resumed = [event["process"] for event in self.events if event["event"] == "resume"]
        return str(resumed[-1] if resumed else self.start["tags"]["process"])

    @property
    def ending(self) -> tuple[str, int] | None:
        """Status and time; None while it goes on. Its process has died without a word: KILLED, at the last event."""
        last = next((event for event in reversed(self.events) if event["event"] in ("resume", "end")), self.start)
        if last["event"] == "end":
            return last["status"], last["time"]
        return self.killed if is_dead(self.process) else None

    @property
    def killed(self) -> tuple[str, int]:
        """The ending of a run that did not come to it."""
        return "KILLED", (self.events[-1] if self.events else self.start)["time"]

    def collected(self, kind: str) -> dict[str, Any]:
        """All `params`, `metrics` or `tags` as they were last."""
        found = dict(self.start["tags"]) if kind == "tags" else {}
        for event in self.events:
            found |= event.get(kind, {})
        return found


@dataclass(frozen=True)
class Journal:
    """The folder of one run."""

    folder: Path

    def write(self, event: Event) -> None:
        """Add a line.

        Raises:
            TrackingError: the folder cannot be written.
        """
        line = json.dumps(_strict(event), ensure_ascii=False, allow_nan=False, default=str)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with (self.folder / FILE).open("a", encoding="utf-8") as file:
                file.write(f"{line}\n")
        except OSError as error:
            raise self._full(error) from error

    def keep(self, name: str, content: bytes | Path) -> None:
        """Keep an artifact; a file that is in place already takes no room twice, where the file system can.

        Raises:
            TrackingError: the folder cannot be written.
        """
        path = self.folder / "files" / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            if isinstance(content, bytes):
                path.write_bytes(content)
            else:
                _link(content, path)
        except OSError as error:
            raise self._full(error) from error

    def resume(self) -> None:
        """Go on with a run that has ended."""
        path = self.folder / FILE
        try:
            whole = path.read_bytes().rpartition(b"\n")[0]  # without a line that was cut short
            os.truncate(path, len(whole) + 1)
        except OSError as error:
            raise self._full(error) from error
        self.write({"event": "resume", "time": now(), "process": this_process()})

    def tags(self) -> Mapping[str, str]:
        """Those that the run was opened with; none where there is no whole line."""
        try:
            with (self.folder / FILE).open(encoding="utf-8") as file:
                return dict(_parsed(file.readline(), 1)["tags"])
        except (OSError, ValueError, KeyError, TypeError):
            return {}

    def read(self) -> Kept:
        """All of it, save a last line that was cut short.

        Raises:
            TrackingError: it is no journal of a format that is known.
        """
        try:
            lines = (self.folder / FILE).read_text(encoding="utf-8").split("\n")[:-1]
            if not lines:
                raise ValueError("it has no whole line; it may be begun at this moment")
            start, *events = (_parsed(line, number) for number, line in enumerate(lines, 1))
            return Kept(self.folder, start, tuple(events))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise TrackingError(f"{self.folder / FILE} is no journal of a run: {error}") from error

    def _full(self, error: OSError) -> TrackingError:
        return TrackingError(f"The run cannot be kept in {self.folder}: {error.strerror or error}.")


def _parsed(line: str, number: int) -> dict[str, Any]:
    try:
        event = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"line {number} is damaged ({error})") from error
    if number == 1 and isinstance(event, dict) and event.get("format", FORMAT) != FORMAT:
        raise ValueError(f"it has format {event['format']!r}; this version of offshelf reads {FORMAT}")
    require_event(event, number)
    found: dict[str, Any] = event
    return found


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another disk, or one that knows no links
        shutil.copyfile(source, target)


def _strict(value: Any) -> Any:
    """As JSON has it, which knows no NaN and no infinity."""
    if isinstance(value, Mapping):
        return {str(key): _strict(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(one) for one in value]
    return str(float(value)) if isinstance(value, float) and not math.isfinite(value) else value
