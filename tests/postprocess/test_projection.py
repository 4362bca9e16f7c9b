"""Principal components against NumPy's singular value decomposition and scikit-learn's checks."""

import warnings

import numpy as np
import pytest
from sklearn.utils.estimator_checks import check_estimator

from offshelf.errors import ConfigError
from offshelf.postprocess import Projection


def rows(count, dims, seed=0):
    """Correlated, far from 0."""
    random = np.random.default_rng(seed)
    return random.normal(size=(count, dims)) @ random.normal(size=(dims, dims)) + 7


@pytest.mark.parametrize("shape", [(60, 8), (9, 8), (8, 20), (5, 40)])
@pytest.mark.parametrize("whiten", [False, True])
def test_is_the_singular_value_decomposition(shape, whiten):
    """Of the centred rows, by either solver; signs of components are free."""
    train, test = rows(*shape), rows(7, shape[1], seed=1)
    found = Projection(3, whiten).fit(train).transform(test)
    _, singular, axes = np.linalg.svd(train - train.mean(axis=0), full_matrices=False)
    expected = (test - train.mean(axis=0)) @ axes[:3].T
    if whiten:
        expected *= np.sqrt(shape[0] - 1) / singular[:3]

    assert np.abs(found) == pytest.approx(np.abs(expected), rel=1e-6)


@pytest.mark.parametrize("shape", [(50, 6), (6, 50)])
def test_whitened_rows_are_white(shape):
    """Unit covariance, in as many directions as there are."""
    white = Projection(None, whiten=True).fit_transform(rows(*shape))

    assert white.shape[1] == min(shape[0] - 1, shape[1])
    assert np.cov(white.T) == pytest.approx(np.eye(white.shape[1]), abs=1e-6)


def test_float32_is_as_good_as_float64():
    """Small variances beside large means survive, and rows stay float32."""
    train = rows(200, 20) * np.geomspace(1, 1e-2, 20)
    single = Projection(20, whiten=True).fit_transform((train + 100).astype(np.float32))

    assert single.dtype == np.float32
    assert np.cov(single.T) == pytest.approx(np.eye(20), abs=0.02)


def test_every_fit_is_the_same():
    """No random numbers, where scikit-learn's own choice of solver would draw some."""
    train = rows(600, 520)
    first, second = (Projection(10).fit(train).components_ for _ in range(2))

    assert (first == second).all()


@pytest.mark.parametrize(("count", "dims", "possible"), [(60, 8, 8), (6, 20, 5), (60, 8, 3)])
def test_more_components_than_there_are(count, dims, possible):
    """Of few rows, few dimensions, or rows that vary in few directions: the sentence says how many."""
    train = rows(count, dims)
    train[:, possible:] = train[:, :1] if possible < 6 and count > dims else train[:, possible:]

    assert Projection(possible).fit(train).components_.shape == (possible, dims)
    with pytest.raises(ConfigError, match=rf"vary in {possible} directions: set postprocess.components={possible}"):
        Projection(possible + 1).fit(train)


def test_rows_that_do_not_vary():
    """A sentence, not a division by zero."""
    with pytest.raises(ConfigError, match=r"are all the same, up to rounding.*postprocess=none"):
        Projection(whiten=True).fit(np.ones((5, 3)))


@pytest.mark.parametrize("components", [0, -3, 2.5, "5", True])
def test_components_that_are_none(components):
    """Whole and positive."""
    with pytest.raises(ConfigError, match="components must be a positive whole number"):
        Projection(components).fit(rows(9, 3))


@pytest.mark.parametrize("settings", [{}, {"components": 1, "whiten": True}], ids=str)
def test_check_estimator(settings):
    """No check fails."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(Projection(**settings), on_fail=None, on_skip=None)

    assert not [result for result in results if result["status"] in ("failed", "xfail")]
    assert sum(result["status"] == "passed" for result in results) > 30


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("offset", [0, 1, 10, 100, 1000])
def test_directions_of_rounding_are_none(offset, dtype, caplog):
    """20 of 256 directions, far from the origin: those that numpy's SVD of the rows before rounding finds."""
    random = np.random.default_rng(0)
    rows = random.normal(size=(500, 20)) @ random.normal(size=(20, 256))
    shifted = (rows + offset * rows.std()).astype(dtype)
    found = Projection(None, whiten=True).fit(shifted)
    spectrum = np.linalg.svd(rows - rows.mean(axis=0), compute_uv=False)[:20] ** 2 / 499

    assert len(found.components_) == 20
    assert found.explained_variance_ == pytest.approx(spectrum, rel=1e-3)
    white = found.transform(shifted).astype(float)
    assert white.dtype == np.float64
    assert np.cov(white.T) == pytest.approx(np.eye(20), abs=2e-3)
    assert np.abs(white.mean(axis=0)).max() < 1e-3
    assert ("by the rounding of" in caplog.text) == (offset >= 1 and dtype == np.float32) or offset < 100


def test_small_directions_are_kept_where_they_are_real():
    """A hundred-thousandth of the largest one, in float64 and in float32, and white in both."""
    random = np.random.default_rng(0)
    rows = random.normal(size=(400, 12)) * np.logspace(0, -5, 12)
    for dtype in (np.float64, np.float32):
        found = Projection(None, whiten=True).fit(rows.astype(dtype))
        assert len(found.components_) == 12
        assert np.cov(found.transform(rows.astype(dtype)).T) == pytest.approx(np.eye(12), abs=2e-2)
