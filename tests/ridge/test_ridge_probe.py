"""RidgeProbe against scikit-learn's Ridge, its checks, and equivalences."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.utils.estimator_checks import check_estimator

from offshelf.ridge import RidgeProbe
from offshelf.ridge import problem as problem_module

SHAPES = [(40, 90), (60, 60), (300, 12)]


def numbers(rows, dims, seed=0):
    """Rows with a mean and correlated columns, numbers far from 0, and weights."""
    random = np.random.default_rng(seed)
    X = random.normal(size=(rows, dims)) @ random.normal(size=(dims, dims)) / np.sqrt(dims) + 3
    return X, X[:, :5].sum(axis=1) + random.normal(size=rows) + 40, random.random(rows) + 0.1


def test_is_a_scikit_learn_estimator():
    """All of its checks."""
    check_estimator(RidgeProbe(), on_skip=None)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("alpha", [1e-4, 1.0, 1e4])
@pytest.mark.parametrize("weighted", [False, True])
def test_same_as_scikit_learn(shape, alpha, weighted):
    """Fewer rows than dimensions, as many, more; with and without weights."""
    X, y, weights = numbers(*shape)
    given = weights if weighted else None
    theirs = Ridge(alpha, solver="svd").fit(X, y, given)
    ours = RidgeProbe(alpha).fit(X, y, given)

    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-6)
    assert ours.intercept_ == pytest.approx(theirs.intercept_, abs=1e-6)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), atol=1e-6)
    assert clone(ours).get_params() == {"alpha": alpha}


@pytest.mark.parametrize("shape", SHAPES)
def test_rows_without_weight_do_not_count(shape):
    """They may as well be missing; a weight of 2 is a row twice."""
    X, y, _ = numbers(*shape)
    times = np.arange(len(X)) % 3
    weighted = RidgeProbe().fit(X, y, times.astype(float))
    repeated = RidgeProbe().fit(np.repeat(X, times, axis=0), np.repeat(y, times))
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, atol=1e-8)


@pytest.mark.parametrize("shape", SHAPES)
def test_memory_mapped_rows_are_read_in_blocks(shape, tmp_path, monkeypatch):
    """float16 rows on disk, seven at a time: the fit of the same rows in float64."""
    X, y, _ = numbers(*shape)
    half = X.astype(np.float16)
    file = np.lib.format.open_memmap(tmp_path / "rows.npy", "w+", np.float16, half.shape)
    file[:] = half
    expected = Ridge(2.0, solver="svd").fit(half.astype(np.float64), y)
    monkeypatch.setattr(problem_module, "BLOCK_VALUES", 7 * shape[1])
    fitted = RidgeProbe(2.0).fit(np.load(tmp_path / "rows.npy", mmap_mode="r"), y)
    np.testing.assert_allclose(fitted.coef_, expected.coef_, atol=1e-6)


def test_features_far_from_their_origin():
    """Centring comes before products, so that a large mean costs no digits."""
    X, y, _ = numbers(200, 10)
    near, far = RidgeProbe(0.1).fit(X, y), RidgeProbe(0.1).fit(X + 1e6, y)
    np.testing.assert_allclose(far.coef_, near.coef_, rtol=1e-6)


@pytest.mark.parametrize(
    ("settings", "weights", "message"),
    [
        ({"alpha": 0.0}, None, "alpha must be a positive number"),
        ({}, -np.ones(30), "finite, non-negative"),
        ({}, np.zeros(30), "weight of zero"),
    ],
)
def test_what_cannot_be_fitted(settings, weights, message):
    """One sentence."""
    X, y, _ = numbers(30, 4)
    with pytest.raises(ValueError, match=message):
        RidgeProbe(**settings).fit(X, y, weights)
