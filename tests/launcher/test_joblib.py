"""Processes of this machine, with small functions for work."""

import os
import time
from contextlib import closing
from functools import partial

import pytest

from offshelf.errors import ConfigError
from offshelf.launcher import Basic, Joblib, Lost
from offshelf.launcher.joblib import gpus, shares


def square(piece):
    yield from (number**2 for number in piece)


def surroundings(piece, seconds=0.3):
    for _ in piece:
        time.sleep(seconds)
        cores = tuple(sorted(os.sched_getaffinity(0)))
        yield os.getpid(), cores, os.environ["OMP_NUM_THREADS"], os.environ.get("CUDA_VISIBLE_DEVICES")


def leave(piece):
    for number in piece:
        if number == 1:
            raise SystemExit(3)
        if number == 2:
            os._exit(4)
        yield number


def nap(folder, piece):
    for number in piece:
        (folder / str(number)).write_text(str(os.getpid()))
        if number:
            time.sleep(100)
        yield number


def remember(folder, piece):
    """The process, and what it has in mind of the piece; where it has put it away, there is a file."""
    mind = []
    try:
        for number in piece:
            if number == 2:
                os._exit(4)
            mind.append(number)
            yield os.getpid(), tuple(mind)
    finally:
        (folder / f"end of {piece[0]}").touch()


@pytest.mark.parametrize("launcher", [Basic(), Joblib(2)])
def test_results_belong_to_their_items(launcher, tmp_path):
    assert sorted(launcher.run([[3], [1, 4], [2]], square, tmp_path)) == [(1, 1), (2, 4), (3, 9), (4, 16)]


@pytest.mark.parametrize("launcher", [Basic(), Joblib(2)])
def test_piece_is_one_process(launcher, tmp_path):
    """Its items share what comes up in its work, which is put away with the last."""
    found = dict(launcher.run([[3, 4, 5], [6]], partial(remember, tmp_path), tmp_path))

    assert [found[number][1] for number in (3, 4, 5, 6)] == [(3,), (3, 4), (3, 4, 5), (6,)]
    assert len({found[number][0] for number in (3, 4, 5)}) == 1
    assert {file.name for file in tmp_path.iterdir()} == {"end of 3", "end of 6"}


def test_rest_of_a_piece_goes_on(tmp_path):
    """In another process, where the one it was in has died of an item."""
    found = dict(Joblib(1).run([[0, 1, 2, 3, 4]], partial(remember, tmp_path), tmp_path))

    assert [found[number][1] for number in (0, 1, 3, 4)] == [(0,), (0, 1), (3,), (3, 4)]
    assert isinstance(found[2], Lost)
    assert found[3][0] == found[4][0] != found[0][0]


@pytest.mark.parametrize("launcher", [Basic(), Joblib(1)])
def test_nothing_is_begun_before_a_result_is_taken(launcher, tmp_path):
    """So that a failure can end a piece."""
    with closing(launcher.run([[0, 1]], partial(nap, tmp_path), tmp_path)) as results:
        assert next(results) == (0, 0)
        time.sleep(0.5)
    assert [file.name for file in tmp_path.iterdir()] == ["0"]


@pytest.mark.slow
def test_each_has_its_share(monkeypatch, tmp_path):
    """Two processes at once, each with its GPU and its cores, where there are two."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    found = {result for _, result in Joblib(2).run([[number] for number in range(6)], surroundings, tmp_path)}
    mine = sorted(os.sched_getaffinity(0))

    assert len({process for process, *_ in found}) == 2
    assert {gpu for *_, gpu in found} == {"3", "5"}
    assert all(int(threads) == len(cores) for _, cores, threads, _ in found)
    assert sorted({core for _, cores, *_ in found for core in cores}) == mine


@pytest.mark.slow
def test_who_leaves_harms_nobody(tmp_path):
    """Neither by exit() nor by sudden death."""
    found = dict(Joblib(2).run([[number] for number in range(5)], leave, tmp_path))

    assert found[1] == Lost("it left Python, with exit code 3")
    assert isinstance(found[2], Lost)
    assert [found[number] for number in (0, 3, 4)] == [0, 3, 4]


@pytest.mark.slow
def test_closing_ends_all(tmp_path):
    """A result is taken, and nobody waits for the others."""
    with closing(Joblib(3).run([[0], [1], [2], [3]], partial(nap, tmp_path), tmp_path)) as results:
        assert next(results) == (0, 0)
        deadline = time.monotonic() + 60
        while len(list(tmp_path.iterdir())) < 3 and time.monotonic() < deadline:
            time.sleep(0.05)
    processes = [int(file.read_text()) for file in tmp_path.iterdir()]

    assert len(processes) >= 3
    assert not any(os.path.exists(f"/proc/{process}") for process in processes)  # noqa: PTH110


@pytest.mark.parametrize(
    ("count", "cores", "devices", "expected"),
    [
        (2, [0, 1, 2, 3, 4], [], [([0, 1, 2], None), ([3, 4], None)]),
        (3, [4, 6], [], [([4], None), ([6], None), ([4], None)]),
        (3, [0, 1, 2], ["0", "GPU-a"], [([0], "0"), ([1], "GPU-a"), ([2], "0")]),
    ],
)
def test_shares(count, cores, devices, expected):
    assert shares(count, cores, devices) == expected


def test_gpus_are_those_allowed(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1, GPU-8f")
    assert gpus() == ["1", "GPU-8f"]
    assert Joblib().slots == 2
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert gpus() == []
    assert Joblib().slots == len(os.sched_getaffinity(0))


@pytest.mark.parametrize("jobs", [0, -1, 1.5, "two", True])
def test_number_of_jobs(jobs):
    with pytest.raises(ConfigError, match=r"launcher\.jobs is a positive whole number"):
        Joblib(jobs)
