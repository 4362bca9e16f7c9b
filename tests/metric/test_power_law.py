"""The power law of learning curves, against curves whose law is known."""

import numpy as np
import pytest
from scipy.optimize import curve_fit

from offshelf.metric.power_law import PowerLaw

SIZES = 10.0 * 2 ** np.arange(6)
TRUE = (0.95, 1.5, 0.6)


def law(size, a, b, c):
    return a - b * size**-c


def noisy(seed, draws=5, deviation=0.01):
    """A curve whose draws deviate together, as those of nested subsets, and by themselves."""
    random = np.random.default_rng(seed)
    together = random.normal(0, deviation / 2, (1, draws))
    return law(SIZES, *TRUE)[:, None] + together + random.normal(0, deviation, (len(SIZES), draws))


def test_law_without_noise():
    """Its parameters, and its values beyond the data."""
    found = PowerLaw.fit(SIZES, np.repeat(law(SIZES, *TRUE)[:, None], 3, axis=1))

    assert found.parameters == pytest.approx(TRUE, rel=1e-3)
    assert found(4 * SIZES[-1]) == pytest.approx(law(4 * SIZES[-1], *TRUE), abs=1e-5)
    assert found.interval(4 * SIZES[-1]).half < 1e-4


def test_weighted_fit_is_scipys():
    """curve_fit with the weights that the docstring states, from the true parameters."""
    values = noisy(0)
    variances = values.var(axis=1, ddof=1) / 5
    errors = np.sqrt((variances + variances.mean()) / SIZES)
    expected, _ = curve_fit(law, SIZES, values.mean(axis=1), TRUE, errors, bounds=([0, 0, 0], [1, np.inf, 3]))

    assert PowerLaw.fit(SIZES, values)(4 * SIZES[-1]) == pytest.approx(law(4 * SIZES[-1], *expected), abs=1e-4)


@pytest.mark.soak
@pytest.mark.slow
def test_band_holds_the_truth():
    """At four times the largest size, in most of twelve samples, and it is not so wide that it always would."""
    truth = law(4 * SIZES[-1], *TRUE)
    bands = [PowerLaw.fit(SIZES, noisy(seed)).interval(4 * SIZES[-1]) for seed in range(12)]

    assert sum(band.low <= truth <= band.high for band in bands) >= 9
    assert np.mean([band.half for band in bands]) < 0.03


def test_limits():
    """Never above 1, never falling; too few sizes or draws are refused."""
    rising = np.repeat(np.array([[0.2], [0.5], [0.8], [0.99]]), 3, axis=1)
    assert PowerLaw.fit(SIZES[:4], rising)(1e6) <= 1
    flat = np.full((4, 3), 0.5)
    assert PowerLaw.fit(SIZES[:4], flat)(1e6) == pytest.approx(0.5, abs=1e-3)
    for values in (flat[:3], flat[:, :2]):
        with pytest.raises(ValueError, match="4 sizes and 3 draws"):
            PowerLaw.fit(SIZES[: len(values)], values)
