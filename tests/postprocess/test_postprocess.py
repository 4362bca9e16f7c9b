"""Transforms see training features only."""

import numpy as np
import pytest
from sklearn.preprocessing import FunctionTransformer, Normalizer, StandardScaler

from offshelf.postprocess import chain, fit_transform, learns


def test_fitted_on_training_features_only():
    """Training rows get zero mean and unit variance, whatever the test rows are."""
    random = np.random.default_rng(0)
    train, test = random.normal(3, 2, (50, 2, 4)), random.normal(9, 1, (20, 2, 4))
    scaled, other = fit_transform(StandardScaler(), train, test)

    assert np.allclose(scaled.reshape(-1, 4).mean(0), 0)
    assert np.allclose(other, (test - train.reshape(-1, 4).mean(0)) / train.reshape(-1, 4).std(0))


def test_views_keep_their_place():
    """Row (image, view) stays (image, view)."""
    values = np.arange(1, 25, dtype=float).reshape(3, 2, 4)
    unit, _ = fit_transform(Normalizer(), values, values)

    assert np.allclose(unit, values / np.linalg.norm(values, axis=2, keepdims=True))


@pytest.mark.parametrize(
    ("steps", "answer"),
    [(["l2", "power"], False), (["l2", "pca"], True), (["standardize"], True), (["pca_whiten"], True)],
)
def test_what_learns(steps, answer):
    """Unit length and powers are of a row alone; the rest is of all rows."""
    assert learns(chain(steps, components=2, power=2)) is answer


def test_plain_transformers_that_learn_nothing():
    """Scikit-learn's own, out of a chain."""
    assert not learns(Normalizer())
    assert not learns(FunctionTransformer())
    assert learns(StandardScaler())
