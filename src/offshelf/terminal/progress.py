"""The progress of long work on stderr: a bar in a terminal, elsewhere a line every ten seconds."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from threading import Event, Thread, current_thread, main_thread
from typing import TYPE_CHECKING

from offshelf.terminal.console import terminal

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

BAR_SECONDS = 3.0
"""Seconds after which a bar appears; most work is over by then."""
LINE_SECONDS = 10.0
"""Seconds between two lines, where stderr is not a terminal."""
TICK_SECONDS = 0.5
"""Seconds between two looks at work in this thread."""

_label: ContextVar[str | None] = ContextVar("label", default=None)


@contextmanager
def showing(label: str) -> Iterator[None]:
    """Show the progress of long work in this context, under a name."""
    token = _label.set(label)
    try:
        yield
    finally:
        _label.reset(token)


def shown_label() -> str | None:
    """Return the name of work whose progress is shown; None where none is, as in threads of a run."""
    return _label.get() if current_thread() is main_thread() else None


class Progress:
    """What is done, of how much, how fast, the time, and an estimate of the time left."""

    def __init__(
        self,
        label: str,
        unit: str,
        state: Callable[[], tuple[int, int]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin.

        Args:
            label: Name of the work.
            unit: What is counted, in words that follow a number: `images`, `problems solved`.
            state: Returns how many are done, and of how many.
            clock: Returns seconds.
        """
        self.label, self.unit, self.state, self.clock = label, unit, state, clock
        self.console = terminal(stderr=True)
        self._start, self._lines = clock(), 0
        self._bar: Bar | None = None

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
            self._say(f"{self._count()}{self._rate()}, {_time(self.seconds)}{self._left()}")

    def stop(self) -> None:
        """Remove the bar; after lines, say how long it took."""
        if self._bar:
            self._bar.stop()
        elif self._lines:
            self._say(f"{self._count()} in {_time(self.seconds)}")

    def _count(self) -> str:
        done, total = self.state()
        return f"{done:,} of {total:,} {self.unit}"

    def _rate(self) -> str:
        rate = self.state()[0] / max(self.seconds, 1e-9)
        return f", {rate:,.{0 if rate >= 10 else 1}f}/s" if rate else ""

    def _left(self) -> str:
        done, total = self.state()
        return f", about {_time(self.seconds * (total / done - 1))} left" if done else ""

    def _say(self, text: str) -> None:
        self.console.print(f"{self.label}: {text}", highlight=False, soft_wrap=True)

    def _draw(self) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        done, total = self.state()
        if not self._bar:
            columns = (BarColumn(), MofNCompleteColumn(), self.unit.split()[0], TimeElapsedColumn())
            self._bar = Bar(self.label, *columns, TimeRemainingColumn(), console=self.console, transient=True)
            self._bar.add_task(self.label)
            self._bar.start()
        self._bar.update(self._bar.task_ids[0], completed=done, total=total)


@dataclass
class Counter:
    """Counts what is done, in one thread at a time."""

    total: int
    done: int = 0

    def advance(self, count: int = 1) -> None:
        """Count some more."""
        self.done += count

    def state(self) -> tuple[int, int]:
        """Return how many are done, and of how many."""
        return self.done, self.total


@contextmanager
def counting(unit: str, total: int) -> Iterator[Counter]:
    """Show the progress of work that this context counts; inside `showing`, and only in the main thread."""
    counter, label = Counter(total), shown_label()
    if label is None:
        yield counter
        return
    with watched(Progress(label, unit, counter.state)):
        yield counter


@contextmanager
def watched(progress: Progress) -> Iterator[None]:
    """Show progress in this context by a thread of its own: the work here may take long between two steps."""
    over = Event()

    def watch() -> None:
        while not over.wait(TICK_SECONDS):
            progress.tick()

    thread = Thread(target=watch, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        progress.stop()


def _time(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))
