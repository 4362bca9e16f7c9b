"""What long fits print, and that short ones and Python print nothing."""

import io
from types import SimpleNamespace

import numpy as np
import pytest

from offshelf.svm import LinearSVM, LinearSVMCV
from offshelf.svm.monitor import Finished, Monitor, monitored
from offshelf.terminal import quiet
from offshelf.terminal.progress import Progress, showing


class Clock:
    """Seconds that a test sets."""

    seconds = 100.0

    def __call__(self):
        return self.seconds


@pytest.fixture
def rows():
    random = np.random.default_rng(0)
    return random.normal(size=(60, 4)), np.arange(60) % 3


def test_lines(capsys):
    """Every ten seconds, with an estimate as soon as a problem is solved; at the end the time."""
    monitor, clock = Monitor(), Clock()
    monitor.expect(4000)
    progress = Progress("block [3]", "problems solved", monitor.state, clock)
    for seconds, more in ((1, 0), (10, 0), (15, 1000), (20.5, 0), (47, 1000), (48, 1000)):
        clock.seconds = 100 + seconds
        monitor.advance(more)
        progress.tick()
    progress.stop()
    assert capsys.readouterr().err.splitlines() == [
        "block [3]: 0 of 4,000 problems solved, 0:00:10",
        "block [3]: 1,000 of 4,000 problems solved, 49/s, 0:00:20, about 0:01:02 left",
        "block [3]: 2,000 of 4,000 problems solved, 43/s, 0:00:47, about 0:00:47 left",
        "block [3]: 3,000 of 4,000 problems solved in 0:00:48",
    ]


def test_bar(monkeypatch):
    """In a terminal, after three seconds."""
    stream = io.StringIO()
    stream.isatty = lambda: True
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    monitor, clock = Monitor(), Clock()
    monitor.expect(4000)
    progress = Progress("block3", "problems solved", monitor.state, clock)
    progress.tick()
    assert not stream.getvalue()
    clock.seconds += 4
    monitor.advance(1000)
    progress.tick()
    progress.stop()
    assert "block3" in stream.getvalue()
    assert "1000/4000" in stream.getvalue()


@pytest.mark.parametrize("asked", ["parameter", "context", "nothing", "quiet"])
def test_who_asks(rows, asked, capsys, monkeypatch):
    """The parameter of an estimator, or the context of a run; not a fit alone, nor a run in Python."""
    monkeypatch.setattr("offshelf.terminal.progress.LINE_SECONDS", -1)
    monkeypatch.setattr("offshelf.svm.solver.background._wait", ticking)
    context = {"context": showing("block3"), "quiet": quiet()}.get(asked, SimpleNamespace())
    machine = LinearSVM(progress=asked in ("parameter", "quiet"))
    if asked in ("context", "quiet"):
        with context:
            machine.fit(*rows)
    else:
        machine.fit(*rows)
    printed = capsys.readouterr().err
    assert {"parameter": "SVM: ", "context": "block3: "}.get(asked, "") in printed
    assert bool(printed) == (asked in ("parameter", "context"))


def ticking(answers, monitor):
    """Wait for an answer, with one tick before."""
    monitor.tick()
    return answers.get()


def test_count():
    """Problems reported ahead of their solutions count once, and so do those of compiled code."""
    monitor = Monitor()
    monitor.expect(10)
    monitor.advance(3)
    monitor.settle(2)
    assert monitor.solved == 3
    monitor.settle(4)
    assert monitor.solved == 6
    monitor.control_2[1] = 2
    assert monitor.solved == 8
    monitor.settle(4)
    assert monitor.solved == 10


def test_finished():
    """Problems that are opened again do not count twice."""
    monitor, finished = Monitor(), Finished()
    monitor.expect(10)
    with monitored(monitor):
        for count in (2, 1, 5):
            finished.at(count)
    assert monitor.solved == 5


def test_method(rows):
    """A fitted estimator says which method it was, as it was to be expected."""
    for machine in (LinearSVM(), LinearSVM(multiclass="ovo"), LinearSVMCV([0.1, 1.0], cv=3, warn_at_edge=False)):
        expected = machine.expected_method(60, 4, 3)
        assert machine.fit(*rows).method_ == expected
        assert (machine.fallback_method_, machine.n_fallback_tasks_) == (None, 0)
