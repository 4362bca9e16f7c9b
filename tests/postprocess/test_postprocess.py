"""Transforms see training features only."""

import numpy as np
import pytest
from sklearn.preprocessing import FunctionTransformer, Normalizer, StandardScaler

from offshelf.postprocess import DomainScaler, adapted, adapts, by_part, chain, fit, fit_transform, learns, transform


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


def domains(width=4):
    """Features of two domains, and each of them standardised by itself."""
    random = np.random.default_rng(0)
    pair = [random.normal(3, 2, (50, 2, width)), random.normal(9, 1, (20, 2, width))]
    return pair, [(values - values.mean((0, 1))) / values.std((0, 1)) for values in pair]


@pytest.mark.parametrize("transformer", [DomainScaler(), chain(["standardize_domains"])])
def test_domains_are_standardised_apart(transformer):
    """Test images by their own mean and variance."""
    pair, expected = domains()

    for found, alone in zip(fit_transform(transformer, *pair), expected, strict=True):
        np.testing.assert_allclose(found, alone, atol=1e-12)


def test_steps_before_and_after():
    """A domain is standardised as the steps before it leave it, and those after it learn from training images alone."""
    pair, _ = domains()
    lengths = [values / np.abs(values).sum(2, keepdims=True) for values in pair]
    alone = [(values - values.mean((0, 1))) / values.std((0, 1)) for values in lengths]
    train, test = fit_transform(chain(["l1", "standardize_domains", "pca"], components=2), *pair)
    known_train, known_test = fit_transform(chain(["pca"], components=2), *alone)

    np.testing.assert_allclose(train, known_train, atol=1e-9)
    np.testing.assert_allclose(test, known_test, atol=1e-9)


def test_a_part_of_a_row():
    """One layer's features by domain, another's as they are."""
    pair, alone = domains(6)
    halves = by_part([chain(["standardize_domains"]), chain(["l2"])], [2, 4])
    fitted = fit(halves, pair[0])
    found = transform(adapted(fitted, pair[1]), pair[1])

    assert adapts(halves) and adapts(fitted)
    np.testing.assert_allclose(found[..., :2], alone[1][..., :2], atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(found[..., 2:], axis=2), 1)


def test_other_transforms_are_the_same_for_all_images():
    """The very object, so that nothing is transformed twice."""
    pair, _ = domains()
    fitted = fit(chain(["l2", "standardize"]), pair[0])

    assert not adapts(fitted) and adapted(fitted, pair[1]) is fitted
