"""What long work prints: a bar in a terminal, else a line every ten seconds, and nothing where it is short."""

import io
import re
import time

import numpy as np
import pytest
from sklearn.preprocessing import Normalizer

import offshelf
import offshelf.terminal.progress
from offshelf.dataset import Digits
from offshelf.dataset.retrieval_set import as_retrieval
from offshelf.evaluation.retrieval import RetrievalProbe
from offshelf.knn.neighbours import find
from offshelf.logistic import LogisticProbe
from offshelf.metric import Bootstrap
from offshelf.retrieval import Nearest
from offshelf.retrieval.arrays import OnCpu
from offshelf.tasks.on_error import check_readable
from offshelf.terminal import quiet
from offshelf.terminal.progress import Progress, counting, showing


class Clock:
    """Seconds that a test sets."""

    seconds = 0.0

    def __call__(self):
        return self.seconds


@pytest.fixture
def hasty(monkeypatch):
    """A line at every look, and many looks."""
    monkeypatch.setattr(offshelf.terminal.progress, "LINE_SECONDS", 1e-9)
    monkeypatch.setattr(offshelf.terminal.progress, "TICK_SECONDS", 1e-3)


def test_lines(capsys):
    clock, done = Clock(), [0]
    progress = Progress("search", "queries", lambda: (done[0], 500), clock)
    for seconds, count in ((5, 20), (10, 50), (11, 60), (20, 100), (30, 125)):
        clock.seconds, done[0] = seconds, count
        progress.tick()
    clock.seconds, done[0] = 40, 500
    progress.stop()
    assert capsys.readouterr().err.splitlines() == [
        "search: 50 of 500 queries, 5.0/s, 0:00:10, about 0:01:30 left",
        "search: 100 of 500 queries, 5.0/s, 0:00:20, about 0:01:20 left",
        "search: 125 of 500 queries, 4.2/s, 0:00:30, about 0:01:30 left",
        "search: 500 of 500 queries in 0:00:40",
    ]


def test_short_work_prints_nothing(capsys):
    with showing("search"), counting("queries", 3) as counter:
        counter.advance(3)
    assert capsys.readouterr().err == ""


def test_work_that_does_not_come_back(hasty, capsys):
    """Lines come while a single step takes long."""
    with showing("search"), counting("queries", 3):
        time.sleep(0.1)
    assert len(capsys.readouterr().err.splitlines()) > 3


def test_nothing_is_printed_where_nobody_asks(hasty, capsys):
    """In Python, by itself or within `quiet`."""
    with counting("queries", 3):
        time.sleep(0.02)
    with quiet(), showing("search"), counting("queries", 3):
        time.sleep(0.02)
    assert capsys.readouterr().err == ""


def test_bar_in_a_terminal(monkeypatch):
    stream = io.StringIO()
    stream.isatty = lambda: True
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    clock = Clock()
    progress = Progress("search", "queries", lambda: (100, 400), clock)
    clock.seconds = 4
    progress.tick()
    progress.stop()
    assert "100/400" in stream.getvalue()
    assert "queries" in stream.getvalue()


def last(text):
    """Of the last line the name, what is counted, and whether all was."""
    name, done, total, unit = re.fullmatch(r"(.*): ([\d,]+) of ([\d,]+) (.*) in .*", text.splitlines()[-1]).groups()
    return name, unit, done == total


def test_logistic_fits(hasty, capsys):
    random = np.random.default_rng(0)
    X, y = random.normal(size=(3000, 40)), random.integers(0, 5, 3000)
    with showing("block3"):
        LogisticProbe(C=100.0).fit(X, y)
    assert last(capsys.readouterr().err) == ("block3", "problems solved", True)
    LogisticProbe(C=100.0).fit(X, y)
    assert capsys.readouterr().err == ""


def test_search(hasty, capsys):
    random = np.random.default_rng(0)
    rows = random.normal(size=(6000, 32)).astype(np.float32)
    with showing("block3"):
        find(rows, rows[:2000], 20, "cosine", OnCpu())
    assert last(capsys.readouterr().err) == ("block3", "references searched", True)


@pytest.mark.slow
def test_retrieval(hasty, capsys):
    images = as_retrieval(Digits().load())
    values = np.random.default_rng(0).normal(size=(len(images.references), 1, 8)).astype(np.float32)
    RetrievalProbe(Normalizer(), Nearest(), Bootstrap(0)).score("block3", values, values, images)
    assert last(capsys.readouterr().err) == ("block3", "queries", True)


def test_reading(hasty, capsys):
    check_readable(Digits().load(), "stop")
    assert last(capsys.readouterr().err) == ("Reading digits", "images read", True)


def test_extraction(home, monkeypatch, capsys):
    """Without a terminal a line every ten seconds, where there was a bar that only its end showed."""
    monkeypatch.setattr(offshelf.terminal.progress, "LINE_SECONDS", 1e-9)
    pixels = [sample.image.pixels for sample in Digits().load().samples[:200]]
    offshelf.load_backbone("pixels").encode(pixels, progress=True)
    assert last(capsys.readouterr().err) == ("Extracting pixels", "images", True)
