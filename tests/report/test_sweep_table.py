"""Tables and figures of hand-made sweeps."""

import io

import pytest
from rich.console import Console

from offshelf.report import JobOutcome, job_columns, job_table, sweep_figure


def outcomes(*jobs):
    """Jobs from (choices, value); without a value they have failed."""
    return [
        JobOutcome(number, choices, "FAILED" if value is None else "done", value, 1.0, f"run{number}")
        for number, (choices, value) in enumerate(jobs)
    ]


GRID = outcomes(
    ({"layer": "a", "C": "20", "seed": "0"}, 0.5),
    ({"layer": "b", "C": "2", "seed": "0"}, 0.25),
    ({"layer": "a", "C": "2", "seed": "0"}, 0.75),
    ({"layer": "b", "C": "20", "seed": "0"}, None),
)


def test_columns_are_what_differs():
    """A key with the same value in all jobs is left out."""
    assert job_columns(GRID, "test/accuracy") == {
        "job": [0, 1, 2, 3],
        "layer": ["a", "b", "a", "b"],
        "C": ["20", "2", "2", "20"],
        "status": ["done", "done", "done", "FAILED"],
        "test/accuracy": [0.5, 0.25, 0.75, None],
        "seconds": [1.0, 1.0, 1.0, 1.0],
        "run": ["run0", "run1", "run2", "run3"],
    }


def test_table_holds_every_job():
    """Values with four digits; what is not known is a dash."""
    text = io.StringIO()
    Console(file=text, width=80).print(job_table(GRID, "test/accuracy", "run2"))

    rows = [line.split() for line in text.getvalue().splitlines() if line.strip()][2:]
    assert rows[1] == ["1", "0.2500", "b", "2", "done", "1.0"]
    assert rows[3] == ["3", "–", "b", "20", "FAILED", "1.0"]


def test_a_line_for_each_choice_by_the_number_that_was_swept():
    """Points in the order of the number, whatever the order of the jobs; ten times as large is a logarithmic axis."""
    (axes,) = sweep_figure(GRID, "test/accuracy").axes
    lines = {line.get_label(): line.get_xydata().tolist() for line in axes.lines}

    assert lines == {"a": [[2, 0.75], [20, 0.5]], "b": [[2, 0.25]]}
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_xscale()) == ("C", "test/accuracy", "log")


@pytest.mark.parametrize(
    "jobs",
    [
        [({"layer": "a"}, 0.5), ({"layer": "b"}, 0.5)],
        [({"C": "1", "k": "1"}, 0.5), ({"C": "2", "k": "2"}, 0.5)],
        [({"C": "1"}, 0.5), ({"C": "2"}, None)],
    ],
    ids=["no number", "two numbers", "one value"],
)
def test_no_figure(jobs):
    """Where it would not say anything."""
    assert sweep_figure(outcomes(*jobs), "test/accuracy") is None
