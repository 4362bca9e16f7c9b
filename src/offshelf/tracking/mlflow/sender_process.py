"""The program of a sender; see `sender`."""

import gc
import json
import os
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn, TextIO, cast

from offshelf.errors import TrackingError
from offshelf.light_imports import import_mlflow
from offshelf.tracking.events import PARENT_TAG, EndEvent, FileEvent, LaterEvent, StartEvent, from_json
from offshelf.tracking.mlflow.client import quiet_mlflow
from offshelf.tracking.mlflow.connection import Connection
from offshelf.tracking.mlflow.tracker import MLflow
from offshelf.tracking.outbox.journal import FILE, Journal
from offshelf.tracking.outbox.outbox import Outbox
from offshelf.tracking.outbox.sink import RunLocation


def main() -> NoReturn:
    """Import MLflow, send what the run on the other end of the pipe tells, and exit."""
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    gc.disable()
    reports = os.dup(1)
    os.dup2(2, 1)  # what MLflow prints is no report
    sys.stdout = sys.stderr = cast("TextIO", _Tolerant(sys.stderr))
    quiet_mlflow()
    import_mlflow()
    line = sys.stdin.readline()
    if line:
        _report(reports, **_send(json.loads(line), reports))
    os._exit(0)


def _report(reports: int, **values: Any) -> None:
    with suppress(OSError):  # the run was killed
        os.write(reports, f"{json.dumps(values)}\n".encode())


def _send(where: dict[str, Any], reports: int) -> dict[str, Any]:
    """Send the journals that the run names until it ends. Returns the last report."""
    home, folder = Path(where["home"]), Path(where["folder"])
    try:
        connection = MLflow(where["home"], where["uri"], where["experiment"]).connect(RunLocation(home, folder))
    except TrackingError as error:
        return {"error": str(error)}
    runs: dict[str, _SentRun] = {}
    ids: dict[str, str] = {}
    for line in sys.stdin:
        name = json.loads(line)
        is_first = not runs
        if name not in runs:
            runs[name] = _SentRun(Journal(Path(name)), connection, ids)
        runs[name].send_new()
        if is_first:
            _report(reports, run=runs[name].id)
    for run in runs.values():
        run.send_last()
    is_sent = all(run.is_sent for run in runs.values())
    if is_sent:
        for run in runs.values():
            _remove(run.journal, Outbox(home))
    return {"is_sent": is_sent}


def _remove(journal: Journal, outbox: Outbox) -> None:
    """Remove the journal of a run that MLflow has in full."""
    outbox.remove(journal.folder.name)
    journal.remove()


@dataclass(frozen=True)
class _Tolerant:
    """A stream that may be gone, as that of a closed terminal is."""

    stream: TextIO

    def write(self, text: str) -> int:
        with suppress(OSError):
            self.stream.write(text)
            self.stream.flush()
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


@dataclass
class _SentRun:
    """A run whose journal is sent while it grows."""

    journal: Journal
    connection: Connection
    ids: dict[str, str]
    """MLflow's ids of the runs that were created so far, by their own."""
    id: str = ""
    is_sent: bool = True
    """Whether MLflow has taken everything so far."""
    has_ended: bool = False
    _lines: int = field(default=0, repr=False)
    _bytes: int = field(default=0, repr=False)

    def send_new(self) -> None:
        """Send the events that the journal has and MLflow has not."""
        with (self.journal.folder / FILE).open("rb") as file:
            file.seek(self._bytes)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._bytes += len(whole)
        for line in whole.decode().split("\n")[:-1]:
            self._lines += 1
            event = from_json(line, self._lines)
            self.is_sent &= self._create(event) if isinstance(event, StartEvent) else self._send(event)

    def send_last(self) -> None:
        """Send the rest, now that the run has ended; a run that was killed has no end in its journal."""
        self.send_new()
        if not self.has_ended:
            self.is_sent &= self._send(self.journal.read().killed)

    def _create(self, start: StartEvent) -> bool:
        if start.parent:
            start = replace(start, tags={**start.tags, PARENT_TAG: self.ids.get(start.parent, start.parent)})
        self.id = self.ids[start.id] = self.connection.create(start) or ""
        return bool(self.id)

    def _send(self, event: LaterEvent) -> bool:
        self.has_ended = isinstance(event, EndEvent) or self.has_ended
        content = self.journal.folder / "files" / event.name if isinstance(event, FileEvent) else None
        return bool(self.id) and self.connection.send(self.id, event, content)


if __name__ == "__main__":
    main()
