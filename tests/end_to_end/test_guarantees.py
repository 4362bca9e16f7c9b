"""docs/guarantees.md names the test that holds each promise: each is there, and each promise has one."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROWS = [
    line.strip("|\n ").split(" | ")
    for line in (ROOT / "docs/guarantees.md").read_text(encoding="utf-8").splitlines()
    if line.startswith("|") and not line.startswith(("|---", "| promise |"))
]


def named(cell):
    """Files and functions: `tests/a.py::one` `::two` names two functions of one file."""
    file = ""
    for text in re.findall(r"`((?:tests/[\w/]+\.py)?(?:::\w+)?)`", cell):
        path, _, function = text.partition("::")
        file = path or file
        yield file, function


def is_soak(file, function):
    """Whether a function is tested by `make soak` alone."""
    found = re.search(rf"((?:^[@ )].*\n)*)^def {function}\(", (ROOT / file).read_text(encoding="utf-8"), re.M)
    return "@pytest.mark.soak\n" in found[1]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:40])
def test_a_promise_is_held_by_tests_that_are_there(row):
    """A renamed test does not leave a promise alone."""
    tests = list(named(row[1]))
    assert tests
    for file, function in tests:
        assert f"def {function}(" in (ROOT / file).read_text(encoding="utf-8") if function else (ROOT / file).is_file()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0][:40])
def test_a_promise_is_held_in_every_run(row):
    """By one test at least that is not left to `make soak`."""
    assert not all(function and is_soak(file, function) for file, function in named(row[1]))


def test_what_is_soak():
    """The oracle above, by an example of each."""
    file = "tests/extractor/test_killed_and_concurrent.py"
    assert is_soak(file, "test_torchrun_shares_the_work")
    assert not is_soak(file, "test_killed_at_any_instant_it_resumes")
