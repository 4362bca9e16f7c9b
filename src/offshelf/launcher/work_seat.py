"""What runs in an actor of a sweep: a process that works on pieces, with its output in a file."""

import os
import pickle
import sys
from concurrent.futures import Future, wait
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import mkstemp
from typing import Any

from offshelf.launcher.launcher import Work
from offshelf.launcher.worker import Worker, begin, cause_of_death, go_on, threads
from offshelf.process.cores import LIMIT
from offshelf.process.signals import GRACE_SECONDS


@dataclass(frozen=True)
class Death:
    """Value of an item whose process has died."""

    why: str
    is_chance: bool = True
    """Whether another attempt may end well."""


@dataclass(frozen=True)
class Result:
    """What came of an item."""

    value: Any
    log: str = ""
    """What its process has written on stdout and stderr meanwhile."""


class WorkSeat:
    """A process that works on one piece after the other."""

    def __init__(self, work: bytes, count: int) -> None:
        """Take the pickled work, which is unpickled in the process alone, and the number of its threads."""
        self.work = work
        file, name = mkstemp(suffix=".log")
        os.close(file)
        self.log, self.seen = Path(name), 0
        _forget_main()
        environment = threads(count) | {LIMIT: str(count)}
        self.worker = Worker(environment, partial(_write_to, self.log))
        self.at_work: Future[Any] | None = None

    def call(self, piece: bytes | None) -> Result:
        """Run the first item of a pickled piece, or the next one of the piece that was begun."""
        self.at_work = self.worker.submit(go_on) if piece is None else self.worker.submit(_begin, self.work, piece)
        error = self.at_work.exception()
        if error is None:
            return Result(self.at_work.result(), self._news())
        self.worker = self.worker.again()
        return Result(Death(cause_of_death(error), not isinstance(error, SystemExit)), self._news())

    def stop(self) -> None:
        """Ask the process to leave its work; it is killed where it does not."""
        if self.at_work and not self.at_work.done():
            self.worker.terminate()
            wait([self.at_work], GRACE_SECONDS - 1)
        self.worker.end()
        self.log.unlink(missing_ok=True)

    def _news(self) -> str:
        with self.log.open("rb") as file:
            file.seek(self.seen)
            data = file.read()
        self.seen += len(data)
        return data.decode(errors="replace")


def _begin(work: bytes, piece: bytes) -> Any:
    loaded: Work = pickle.loads(work)
    return begin(loaded, pickle.loads(piece))


def _write_to(log: Path) -> None:
    """Have the process write into a file what it would write on a terminal."""
    file = os.open(log, os.O_WRONLY | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(file, stream)
    os.close(file)


def _forget_main() -> None:
    """Keep a child from running the program of this process, that of Ray's workers, which takes a second."""
    main = sys.modules["__main__"]
    main.__spec__ = None
    main.__dict__.pop("__file__", None)
