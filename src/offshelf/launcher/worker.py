"""A process that works on pieces, item by item: joblib's loky, a pool of one."""

import os
import re
import signal
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from offshelf.launcher.launcher import Piece, Work
from offshelf.process.signals import as_child, held_back

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def threads(count: int) -> dict[str, str]:
    """Return the environment of a process with so many threads."""
    return dict.fromkeys(_THREAD_VARIABLES, str(count))


@dataclass(eq=False)
class Worker:
    """A process that works on one piece after the other; it starts with the first."""

    environment: Mapping[str, str]
    settle: Callable[[], None]
    """Called once in the process, before its work."""
    _pool: Any = field(init=False, default=None)
    _process: "Future[int]" = field(init=False)

    def submit(self, function: Callable[..., Any], *arguments: Any) -> "Future[Any]":
        """Call a function in the process."""
        if self._pool is None:
            from joblib.externals.loky import ProcessPoolExecutor

            environment = dict(self.environment)
            ours = (os.getpid(), self.settle)
            with held_back():
                self._pool = ProcessPoolExecutor(1, env=environment, initializer=_begin_process, initargs=ours)
            with held_back():
                self._process = self._pool.submit(os.getpid)
        future: Future[Any] = self._pool.submit(function, *arguments)
        return future

    def again(self) -> "Worker":
        """End the process. Returns another in its place."""
        self.end()
        return Worker(self.environment, self.settle)

    def terminate(self) -> None:
        """Ask the process to stop its work."""
        if self._process.done() and not self._process.exception():
            with suppress(ProcessLookupError):
                os.kill(self._process.result(), signal.SIGTERM)

    def end(self) -> None:
        """End the process and its children."""
        if self._pool is not None:
            self._pool.shutdown(kill_workers=True)


_AT_WORK: list[tuple[Generator[Any, None, None], int]] = []
"""In the worker: what works on its piece, and the number of items that are left."""


def begin(work: Work, piece: Piece) -> Any:
    """Run the first item of a piece, in the worker."""
    _AT_WORK.append((work(piece), len(piece)))
    return go_on()


def go_on() -> Any:
    """Run the next item of the piece, in the worker; after the last one the piece is closed."""
    results, left = _AT_WORK.pop()
    result = next(results)
    if left > 1:
        _AT_WORK.append((results, left - 1))
    else:
        results.close()
    return result


def cause_of_death(error: BaseException) -> str:
    """Return in a few words why a process has died."""
    if isinstance(error, SystemExit):
        return f"it left Python, with exit code {error.code}"
    found = re.search(r"(SIG[A-Z]+)\(-\d+\)", str(error))
    if not found:
        return f"its process died: {' '.join(str(error).split()) or type(error).__name__}"
    return f"its process died of {found[1]}"


def _begin_process(parent: int, settle: Callable[[], None]) -> None:
    """Prepare the worker: it leaves on a signal and when its parent dies."""
    as_child(parent)
    settle()
