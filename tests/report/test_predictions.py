"""Predictions written, read back, and paired."""

import numpy as np
import pytest

from offshelf.errors import DatasetError
from offshelf.metric import METRICS
from offshelf.report import csv_text, paired, read_predictions

SINGLE = "fold,id,true,predicted,score\n0,a,cat,dog,1\n0,b,dog,dog,2\n1,c,cow,cow,1\n"
NUMBERS = "fold,id,true,predicted\n0,a,1,1.5\n0,b,3.25,-2e-3\n1,c,7,7\n"
SEVERAL = "fold,id,true x,score x,true y,score y\n0,a,1,0.5,0,3\n0,b,-1,-1e-3,1,2.25\n"


def test_single_labels():
    """Folds, classes that occur, and accuracies."""
    found = read_predictions(SINGLE)

    assert found.classes == ("cat", "cow", "dog")
    assert found.ids == (("a", "b"), ("c",))
    assert [METRICS["accuracy"](outcome)[0] for outcome in found.outcomes] == [0.5, 1.0]
    assert found.among(["dog", "cow", "bird", "cat"]).outcomes[0].targets.tolist() == [3, 0]


def test_several_labels():
    """Scores to the last digit."""
    (outcome,) = read_predictions(SEVERAL).outcomes

    assert outcome.targets.tolist() == [[1, 0], [-1, 1]]
    assert outcome.scores.tolist() == [[0.5, 3], [-1e-3, 2.25]]


def test_numbers():
    """A table without scores; it pairs with another of the same numbers alone."""
    found = read_predictions(NUMBERS)

    assert [outcome.kind for outcome in found.outcomes] == ["number", "number"]
    assert METRICS["mean_absolute_error"](found.outcomes[0])[0] == pytest.approx((0.5 + 3.252) / 2)
    other = read_predictions("fold,id,true,predicted\n0,b,3.25,3\n0,a,1,2\n1,c,7,8\n")
    assert [outcome.predictions.tolist() for outcome in paired(found, other)[1]] == [[2, 3], [8]]
    assert paired(found, read_predictions(NUMBERS.replace("3.25", "3.5"))) is None
    assert paired(found, read_predictions(SINGLE)) is None


def test_every_digit_comes_back():
    """Binary fractions survive the text."""
    scores = np.random.default_rng(0).normal(size=50)
    columns = {"fold": [0] * 50, "id": range(50), "true x": [1] * 50, "score x": scores.tolist()}
    columns |= {'true, "y"': [1] * 50}

    assert (read_predictions(csv_text(columns)).outcomes[0].scores[:, 0] == scores).all()


def test_pairs_are_brought_into_one_order():
    """Rows are matched by id, whatever their order; classes are those of both."""
    other = "fold,id,true,predicted,score\n0,b,dog,bird,2\n0,a,cat,cat,1\n1,c,cow,cow,1\n"
    first, second = paired(read_predictions(SINGLE), read_predictions(other))

    assert [outcome.targets.tolist() for outcome in first] == [outcome.targets.tolist() for outcome in second]
    assert [METRICS["accuracy"](outcome)[0] for outcome in second] == [0.5, 1.0]
    assert first[0].classes == second[0].classes == 4


@pytest.mark.parametrize(
    "other",
    [
        SINGLE.replace("a,cat", "z,cat"),
        SINGLE.replace("a,cat", "a,cow"),
        SINGLE.replace("1,c", "0,c"),
        SINGLE + "1,d,cow,cow,1\n",
        SEVERAL,
    ],
)
def test_other_images_or_labels_make_no_pair(other):
    """Another id, another truth, other folds, one more image, another kind."""
    assert paired(read_predictions(SINGLE), read_predictions(other)) is None


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "fold,id,true x,score x\n0,a,one,2\n", "fold,id\n0,1\n", "fold\n"])
def test_other_tables(text):
    """A sentence with the columns there are."""
    with pytest.raises(DatasetError, match="not a table of predictions"):
        read_predictions(text)
