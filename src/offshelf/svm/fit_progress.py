"""The progress of long fits, by the number of problems solved."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread

from offshelf.svm.monitor import Monitor
from offshelf.terminal.progress import Progress, shown_label, watched

UNIT = "problems solved"


@contextmanager
def shown(monitor: Monitor, is_asked: bool) -> Iterator[None]:
    """Show the progress of a fit in another thread, if it is asked for or in `showing`; only in the main thread."""
    label = shown_label()
    if label is None and not (is_asked and current_thread() is main_thread()):
        yield
        return
    progress = Progress(label or "SVM", UNIT, monitor.state)
    monitor.tick = progress.tick
    try:
        yield
    finally:
        progress.stop()


@contextmanager
def shown_beside(monitor: Monitor) -> Iterator[None]:
    """Show the progress of a fit in this thread, in `showing`; only in the main thread."""
    label = shown_label()
    if label is None:
        yield
        return
    with watched(Progress(label, UNIT, monitor.state)):
        yield
