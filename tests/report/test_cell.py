"""Cells of CSV files: nothing is a formula, and every text comes back."""

import csv
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offshelf.classifier import FitResult
from offshelf.dataset import Fold, ImageArray, ImageSet, Sample
from offshelf.dataset.formulas import mark, unmark
from offshelf.evaluation.score import Score
from offshelf.metric import Outcome
from offshelf.report import csv_text, predictions, read_predictions
from offshelf.report.cell import csv_lines, read_csv
from offshelf.report.retrieval_tables import paired_queries
from offshelf.report.sheet import Sheet

FORMULAS = [
    "=1+1",
    "+A1",
    "-A1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    " =1+1",
    "=HYPERLINK(A1)",
    "-1+A1",
    "+1 A1",
    "＝1",
]
HARMLESS = ["a", "", "a=b", "'a'", "-1", "+5", "-0.5e-3", "-0.0100 [-0.0200, 0.0000]", "+0.5 ± 0.1", "2008_000001"]
NAMES = st.text(st.sampled_from("'=+-@ \t\r\n1aE.±%[]()"), max_size=8) | st.text(max_size=5)


@pytest.mark.parametrize("value", FORMULAS)
def test_formulas_are_marked(value):
    """By the apostrophe that spreadsheets have for it."""
    assert mark(value) == f"'{value}"


@pytest.mark.parametrize("value", [*HARMLESS, -1.5, 3, None, True])
def test_all_else_is_as_it_is(value):
    """Numbers, also as texts, among it."""
    assert mark(value) == value


@pytest.mark.slow
@given(NAMES)
def test_every_text_comes_back(value):
    """Also those that begin with apostrophes."""
    written = mark(value)

    assert unmark(written) == value
    assert read_csv(csv_lines([["a", value, 1]])) == [["a", value, "1"]]
    assert written.lstrip(" \t\r\n")[:1] not in ("=", "@") or written.startswith("'")


@given(st.lists(NAMES, min_size=2, max_size=5, unique=True))
def test_predictions_come_back(names):
    """Ids and classes of whatever name, through the file."""
    targets = np.arange(len(names))
    scores = np.roll(np.eye(len(names)), 1, axis=1)
    samples = [Sample(name, ImageArray(np.zeros((1, 1, 3), np.uint8)), row) for row, name in enumerate(names)]
    images = ImageSet("set", tuple(names), samples, (Fold(targets, targets),))
    score = Score("x", 8, "accuracy", (FitResult("C", 1.0, None, lambda v: v),), (Outcome(targets, scores),), 1.0)
    table = predictions(score, images)
    read = read_predictions(csv_text(table))

    assert read.ids == (tuple(names),)
    assert read.classes == tuple(sorted(names))
    order = [read.classes.index(name) for name in names]
    assert read.outcomes[0].targets.tolist() == order
    assert read.outcomes[0].predictions.tolist() == [order[(row + 1) % len(names)] for row in range(len(names))]


def test_headers_sheets_and_queries():
    """Names of columns, the tables of a study, and what retrieval runs are compared by."""
    assert csv_text({"=a": [1.0], "b": [None]}) == "'=a,b\n1.0,\n"
    assert Sheet("t", ["=a", "b"], [["@x", "-1"]]).csv() == "'=a,b\n'@x,-1\n"
    table = csv_text({"query": ["=q", "r"], "AP": [0.5, -1.0]})
    older = "query,AP\n=q,0.5\nr,1\n"
    assert next(csv.reader(io.StringIO(table.splitlines()[1]))) == ["'=q", "0.5"]
    assert [values.tolist() for values in paired_queries(table, older, "mAP")] == [[0.5, -1.0], [0.5, 1.0]]
