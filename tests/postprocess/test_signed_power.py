"""The power transform against hand-computed values and scikit-learn's checks."""

import warnings

import numpy as np
import pytest
from sklearn.utils.estimator_checks import check_estimator

from offshelf.errors import ConfigError
from offshelf.postprocess import SignedPower


def test_by_hand():
    """Signs stay."""
    rows = np.array([[-3.0, 0.0, 0.5], [2.0, -0.25, 1.0]])

    assert SignedPower().fit_transform(rows).tolist() == [[-9, 0, 0.25], [4, -0.0625, 1]]
    assert SignedPower(0.5).fit_transform(rows[:, 1:]) == pytest.approx(np.array([[0, 0.5**0.5], [-0.5, 1]]))
    assert (SignedPower(1).fit_transform(rows) == rows).all()


def test_input_is_left_alone():
    """And float32 stays float32."""
    rows = np.array([[-3.0, 2.0]], np.float32)
    squared = SignedPower().fit_transform(rows)

    assert rows.tolist() == [[-3, 2]]
    assert squared.dtype == np.float32


@pytest.mark.parametrize("power", [0, -1, np.inf, np.nan, "2", True])
def test_powers_that_are_none(power):
    """Above 0."""
    with pytest.raises(ConfigError, match="power must be a number above 0"):
        SignedPower(power).fit(np.ones((2, 2)))


@pytest.mark.parametrize("power", [2.0, 0.5])
def test_check_estimator(power):
    """No check fails."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(SignedPower(power), on_fail=None, on_skip=None)

    assert not [result for result in results if result["status"] in ("failed", "xfail")]
    assert sum(result["status"] == "passed" for result in results) > 30
