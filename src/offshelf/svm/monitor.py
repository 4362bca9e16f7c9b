"""What a running fit reports, and whether it is to stop: one object for all of its threads and its compiled code."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from threading import Lock

import numpy as np


class StoppedError(Exception):
    """Raised inside a fit that nobody waits for any more, to end its threads."""


def _nothing() -> None:
    pass


@dataclass(eq=False)
class Monitor:
    """The state of one call of `solve`.

    The unit is a binary problem at one C. A method may report problems before it yields their solutions; those that it
    does not report count when they are yielded.
    """

    tick: Callable[[], None] = _nothing
    """Called some times per second while the caller waits."""
    method: str = ""
    """Name of the method, one of `dispatch.Method`."""
    fallback: str | None = None
    """Name of the method for tasks that `method` does not bring to the tolerance."""
    fallback_tasks: int = 0
    """Number of these tasks."""
    total: int = 0
    """Problems to solve. It grows by those that are solved again."""
    control_2: np.ndarray = field(default_factory=lambda: np.zeros(2, np.int64))
    """Whether to stop, and the number of problems that compiled code has solved: `Control` in `native.h`."""
    _yielded: int = 0
    _ahead: int = 0
    _lock: Lock = field(default_factory=Lock)

    @property
    def solved(self) -> int:
        """Number of problems solved so far, at most `total`."""
        return min(self.total, self._yielded + max(0, self._ahead + int(self.control_2[1])))

    def state(self) -> tuple[int, int]:
        """Return the number of problems solved, and that of all."""
        return self.solved, self.total

    def expect(self, problems: int) -> None:
        """Add to the problems to solve."""
        with self._lock:
            self.total += problems

    def advance(self, problems: int) -> None:
        """Report problems whose solutions are not yielded yet."""
        with self._lock:
            self._ahead += problems

    def settle(self, problems: int) -> None:
        """Report problems whose solutions are yielded, whether they were reported before or not."""
        with self._lock:
            self._yielded += problems
            self._ahead = max(self._ahead - problems, -int(self.control_2[1]))

    def stop(self) -> None:
        """Ask all threads of the fit to end."""
        self.control_2[0] = 1

    @property
    def is_stopped(self) -> bool:
        """Whether the fit is to end."""
        return bool(self.control_2[0])


_MONITOR: ContextVar[Monitor | None] = ContextVar("monitor", default=None)


@contextmanager
def monitored(monitor: Monitor) -> Iterator[None]:
    """Report to a monitor in this context."""
    token = _MONITOR.set(monitor)
    try:
        yield
    finally:
        _MONITOR.reset(token)


def adopt(monitor: Monitor | None) -> None:
    """Work for a fit in this thread, from now on."""
    _MONITOR.set(monitor)


def current() -> Monitor | None:
    """Return the monitor of the fit that this thread works for, if it has one."""
    return _MONITOR.get()


def check_stop() -> None:
    """End a fit that is to stop; called in every loop that may take over some tenths of a second.

    Raises:
        StoppedError: nobody waits for this fit any more.
    """
    monitor = _MONITOR.get()
    if monitor and monitor.is_stopped:
        raise StoppedError


def advance(problems: int) -> None:
    """Report problems that are solved."""
    monitor = _MONITOR.get()
    if monitor and problems:
        monitor.advance(problems)


def settle(problems: int) -> None:
    """Report problems that are solved, whether they were reported before or not."""
    monitor = _MONITOR.get()
    if monitor:
        monitor.settle(problems)


def hand_over(tasks: int, problems: int) -> None:
    """Report tasks that are solved again by the fallback, and their problems."""
    monitor = _MONITOR.get()
    if monitor:
        monitor.fallback_tasks += tasks
        monitor.expect(problems)


class Finished:
    """The finished problems of a batch: reported once each, also if some of them are opened again."""

    def __init__(self) -> None:
        self._count = 0

    def at(self, count: int) -> None:
        """Report that so many problems of the batch are finished by now."""
        if count > self._count:
            advance(count - self._count)
            self._count = count
