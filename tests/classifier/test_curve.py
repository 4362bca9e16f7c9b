"""Curves by hand."""

import numpy as np
import pytest

from offshelf.classifier import Curve

SMALL, LARGE = (0.1, 1.0, 10.0), (20, 5, 1)


def curve(values, *scores):
    """Two folds, the same in both unless given as pairs."""
    return Curve("C", values, np.array([np.broadcast_to(score, 2) for score in scores], float))


@pytest.mark.parametrize(
    ("made", "best", "edge"),
    [
        (curve(SMALL, 0.1, 0.3, 0.2), 1.0, None),
        (curve(SMALL, 0.1, 0.2, 0.3), 10.0, "largest"),
        (curve(SMALL, 0.3, 0.2, 0.1), 0.1, "smallest"),
        (curve(SMALL, 0.3, 0.3, 0.3), 0.1, None),
        (curve(LARGE, 0.3, 0.2, 0.1), 20, "largest"),
        (curve((20, 5, 2), 0.1, 0.2, 0.3), 2, "smallest"),
        (curve(LARGE, 0.1, 0.2, 0.3), 1, None),
    ],
)
def test_best_and_edge(made, best, edge):
    """Of equals the simplest, which is first; a flat end, and one neighbour, have nothing beyond."""
    assert made.best == best
    assert made.edge == edge


def test_one_standard_error():
    """Best mean 0.8 with a standard deviation of 0.1 over two folds: standard error 0.1."""
    assert curve(SMALL, 0.71, (0.7, 0.9), 0.6).simplest == 0.1
    assert curve(SMALL, 0.69, (0.7, 0.9), 0.6).simplest == 1.0


def test_folds_that_are_not_defined():
    """They do not count for any value."""
    found = Curve("alpha", (1.0, 2.0), np.array([[np.nan, 0.2, 0.4], [0.9, 0.3, 0.5]]))

    assert found.mean == pytest.approx([0.3, 0.4])
    assert found.best == 2.0
    assert found.std == pytest.approx([0.1, 0.1])


def test_joined():
    """Folds side by side."""
    both = Curve.joined([curve((1.0, 2.0), 0.2, 0.4), curve((1.0, 2.0), 0.4, 0.8)])

    assert both.mean == pytest.approx([0.3, 0.6])
    assert both.std == pytest.approx([0.1, 0.2])
    assert both.scores.shape == (2, 4)
