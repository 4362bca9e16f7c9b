"""The last work of a process, done to its end also if the process is killed: by a copy in a session of its own."""

import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import NoReturn

from offshelf.errors import OffshelfError

THREADED = {"torch", "obstore"}
"""Modules with threads that Python does not count."""


@dataclass
class Survivor:
    """A copy of this process that does a piece of work and exits."""

    process: int
    _error: int
    """File descriptor of what the copy has to say if it fails."""

    @staticmethod
    def start(work: Callable[[], None]) -> "Survivor | None":
        """Start a copy of this process; None if that is not safe, because the copy would lack its threads."""
        if sys.platform != "linux" or threading.active_count() > 1 or THREADED & sys.modules.keys():
            return None
        error, of_copy = os.pipe()
        process = os.fork()
        if not process:
            os.close(error)
            _work(work, of_copy)
        os.close(of_copy)
        os.read(error, 1)  # until then a signal to the group ends the copy too
        return Survivor(process, error)

    def wait(self) -> None:
        """Wait for the end of the work.

        Raises:
            OffshelfError: The work failed.
        """
        with os.fdopen(self._error, encoding="utf-8") as file:
            message = file.read()
        _, status = os.waitpid(self.process, 0)
        if status:
            raise OffshelfError(message or "The process that drew the figures of the run has died; the run lacks them.")


def _work(work: Callable[[], None], error: int) -> NoReturn:
    """Work in a session of its own, which the signals of a terminal do not reach, and exit without cleaning up."""
    try:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        os.write(error, b" ")
        work()
        os._exit(0)
    except OffshelfError as failure:
        os.write(error, str(failure).encode())
    except BaseException:
        traceback.print_exc()
    os._exit(1)
