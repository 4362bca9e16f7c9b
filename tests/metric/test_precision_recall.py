"""The curve against points by hand and scikit-learn's."""

import numpy as np
import pytest
from sklearn.metrics import precision_recall_curve

from offshelf.metric.retrieval import Ranks, Truth
from offshelf.metric.retrieval_curve import precision_recall


def ranks(*queries):
    """Of (ranks, missing) each."""
    found = [np.array(places, np.int64) for places, _ in queries]
    return Ranks.of(
        found, [Truth(np.arange(len(places)), np.empty(0, np.int64), missing) for places, missing in queries]
    )


def test_one_query_by_hand():
    """Two relevant references at ranks 1 and 3 (from 1), one never found: precision 1, 2/3, nothing."""
    curve = precision_recall(ranks(([0, 2], 1)))

    assert curve[:34] == pytest.approx(1)  # recall up to 1/3
    assert curve[34:67] == pytest.approx(2 / 3)  # up to 2/3
    assert curve[67:] == pytest.approx(0)


def test_it_is_the_envelope_of_scikit_learns():
    """At each recall the largest precision of its curve from there on, mean of two queries."""
    random = np.random.default_rng(0)
    expected, places = [], []
    for _ in range(2):
        relevant = random.random(60) < 0.3
        precision, recall, _ = precision_recall_curve(relevant, -np.arange(60))
        levels = np.arange(101) / 100
        expected.append([precision[:-1][recall[:-1] >= level - 1e-12].max() for level in levels])
        places.append((np.flatnonzero(relevant).tolist(), 0))

    assert precision_recall(ranks(*places)) == pytest.approx(np.mean(expected, axis=0))


def test_queries_with_nothing_to_find_are_left_out():
    """And a query that finds nothing counts as 0."""
    assert precision_recall(ranks(([0], 0), ([], 0))) == pytest.approx(1)
    assert precision_recall(ranks(([0], 0), ([], 2))) == pytest.approx(0.5)
    assert np.isnan(precision_recall(ranks(([], 0)))).all()
