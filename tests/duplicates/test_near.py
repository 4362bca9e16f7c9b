"""Nearest images by centred cosines, against scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics.pairwise import cosine_similarity

from offshelf.duplicates import NEAR, NearSearch


def test_nearest_is_scikit_learns():
    """Of all pairs of centred means of views; a row is not its own neighbour."""
    rng = np.random.default_rng(0)
    values = 5 + rng.normal(size=(60, 2, 7))
    means = values.mean(axis=1)
    theirs = cosine_similarity(means - means.mean(axis=0))
    np.fill_diagonal(theirs, -2)
    search = NearSearch(values, device="cpu")
    queries, others = np.arange(0, 40), np.arange(20, 60)
    found = search.nearest(queries, others)

    assert found.rows_Q.tolist() == others[theirs[:40, 20:].argmax(axis=1)].tolist()
    assert found.cosines_Q == pytest.approx(theirs[:40, 20:].max(axis=1), abs=1e-5)


def test_unrelated_and_repeated_images():
    """Without centring all of these would be near: far from the origin every cosine is nearly 1."""
    rng = np.random.default_rng(1)
    values = 100 + rng.normal(size=(50, 1, 64))
    values[40:] = values[:10] + 0.05 * rng.normal(size=(10, 1, 64))
    found = NearSearch(values, device="cpu").nearest(np.arange(30, 50), np.arange(30))

    assert cosine_similarity(values[:, 0]).min() > 0.99
    assert (found.cosines_Q[:10] < NEAR).all()
    assert (found.cosines_Q[10:] >= NEAR).all()
    assert found.rows_Q[10:].tolist() == list(range(10))


def test_nothing_to_search():
    """No others, or a query alone among them."""
    search = NearSearch(np.eye(3)[:, None], device="cpu")

    assert search.nearest(np.arange(2), np.empty(0, np.int64)).cosines_Q.tolist() == [-1, -1]
    assert search.nearest(np.array([1]), np.array([1])).rows_Q.tolist() == [-1]
