"""The sender: a process beside a run of the command line that sends its journals to MLflow.

It is started before the config is read, so that it imports MLflow while the run computes. It has a session of its own:
when the terminal is closed, or the run is killed, it sends what is in the journals, and ends. What it does not send
stays in the outbox. The run tells it, a line each through a pipe, first where to send, then which journal has grown;
it reports lines of JSON.
"""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import PIPE, Popen
from typing import IO

from offshelf.errors import TrackingError
from offshelf.tracking.process import process_name

_prepared: "list[Sender]" = []
"""The sender that no run has taken yet."""


class Sender:
    """The handle of a sender in the process of the run."""

    def __init__(self) -> None:
        command = [sys.executable, "-P", "-m", "offshelf.tracking.mlflow.sender_process"]
        self._process = Popen(command, stdin=PIPE, stdout=PIPE, start_new_session=True)
        self.name = process_name(self._process.pid)
        self.run: str | None = None
        """MLflow's id of the run, once it is known; empty if MLflow did not take it."""
        self.error = ""
        """Why it could not connect."""
        self.is_sent = False
        """Whether MLflow has everything."""
        self.has_reported = False
        """Whether it has come to its end, and has told what it did not send."""
        self.is_over = False

    def begin(self, home: Path, uri: str | None, experiment: str, folder: Path) -> None:
        """Tell where to send: the arguments of `MLflow`, and the output folder."""
        self._write({"home": str(home), "uri": uri, "experiment": experiment, "folder": str(folder)})

    def tell(self, journal: Path) -> None:
        """Tell that the journal in this folder has grown."""
        self._write(str(journal.absolute()))

    def confirm(self) -> None:
        """Wait until MLflow has taken the run.

        Raises:
            TrackingError: The store cannot be used.
        """
        while self.run is None and not self.error and not self.is_over:
            self._read()
        if self.error:
            raise TrackingError(self.error)

    def finish(self) -> None:
        """Wait until everything is sent, or cannot be."""
        with suppress(OSError):
            self._stdin.close()
        while not self.is_over:
            self._read()

    def end(self) -> None:
        """End a sender that was told nothing."""
        self._process.kill()
        self.finish()

    @property
    def _stdin(self) -> IO[bytes]:
        assert self._process.stdin
        return self._process.stdin

    def _write(self, line: object) -> None:
        with suppress(OSError, ValueError):  # if it has died, the journal is kept
            os.write(self._stdin.fileno(), f"{json.dumps(line)}\n".encode())

    def _read(self) -> None:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            self._process.stdout.close()
            self.is_over = True
            return
        report = json.loads(line)
        self.run = report.get("run", self.run)
        self.error = report.get("error", self.error)
        self.is_sent = report.get("is_sent", self.is_sent)
        self.has_reported = "is_sent" in report or self.has_reported


@contextmanager
def prepared(arguments: Sequence[str]) -> Iterator[None]:
    """Have a sender ready inside the block, for the first run that takes it, if the arguments of a task suggest one."""
    if "mlflow" not in sys.modules and not any(map(_does_without, arguments)):
        _prepared.append(Sender())
    try:
        yield
    finally:
        sender = take_sender()
        if sender:
            sender.end()


def take_sender() -> Sender | None:
    """Return the sender that was prepared, which another run no longer gets."""
    return _prepared.pop() if _prepared else None


def _does_without(argument: str) -> bool:
    """Whether an argument asks for something other than a single run that is sent to MLflow."""
    key, _, value = argument.partition("=")
    return (argument.startswith("-") and key not in ("--config-dir", "--config-name")) or (
        key == "tracking" and value != "mlflow"
    )
