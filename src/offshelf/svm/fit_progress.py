"""The progress of long fits on stderr: a bar in a terminal, elsewhere a line every ten seconds."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from threading import current_thread, main_thread
from typing import TYPE_CHECKING

from offshelf.svm.monitor import Monitor
from offshelf.terminal import terminal

if TYPE_CHECKING:
    from rich.progress import Progress

BAR_SECONDS = 3.0
"""Seconds after which a bar appears; most fits are over by then."""
LINE_SECONDS = 10.0
"""Seconds between two lines, where stderr is not a terminal."""

_label: ContextVar[str | None] = ContextVar("label", default=None)


@contextmanager
def showing(label: str) -> Iterator[None]:
    """Show the progress of all fits in this context, under a name."""
    token = _label.set(label)
    try:
        yield
    finally:
        _label.reset(token)


@contextmanager
def shown(monitor: Monitor, is_asked: bool) -> Iterator[None]:
    """Show the progress of a fit in this context if it is asked for, or inside `showing`; only in the main thread."""
    label = _label.get()
    if (label is None and not is_asked) or current_thread() is not main_thread():
        yield
        return
    progress = FitProgress(monitor, label or "SVM")
    monitor.tick = progress.tick
    try:
        yield
    finally:
        progress.stop()


class FitProgress:
    """The problems solved, of how many, the time, and an estimate of the time left."""

    def __init__(self, monitor: Monitor, label: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.monitor, self.label, self.clock = monitor, label, clock
        self.console = terminal(stderr=True)
        self._start, self._lines = clock(), 0
        self._bar: Progress | None = None

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return self.clock() - self._start

    def tick(self) -> None:
        """Show the present state, if it is time."""
        if self.console.is_terminal:
            if self.seconds >= BAR_SECONDS:
                self._draw()
        elif self.seconds >= LINE_SECONDS * (self._lines + 1):
            self._lines = int(self.seconds / LINE_SECONDS)
            self._say(f"{self._count()} solved, {_time(self.seconds)}{self._left()}")

    def stop(self) -> None:
        """Remove the bar; after lines, say how long it took."""
        if self._bar:
            self._bar.stop()
        elif self._lines:
            self._say(f"{self._count()} solved in {_time(self.seconds)}")

    def _count(self) -> str:
        return f"{self.monitor.solved:,} of {self.monitor.total:,} problems"

    def _left(self) -> str:
        solved = self.monitor.solved
        return f", about {_time(self.seconds * (self.monitor.total / solved - 1))} left" if solved else ""

    def _say(self, text: str) -> None:
        self.console.print(f"{self.label}: {text}", highlight=False, soft_wrap=True)

    def _draw(self) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn, TimeRemainingColumn

        if not self._bar:
            columns = (BarColumn(), MofNCompleteColumn(), "problems", TimeElapsedColumn(), TimeRemainingColumn())
            self._bar = Progress(self.label, *columns, console=self.console, transient=True)
            self._bar.add_task(self.label)
            self._bar.start()
        self._bar.update(self._bar.task_ids[0], completed=self.monitor.solved, total=self.monitor.total)


def _time(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
