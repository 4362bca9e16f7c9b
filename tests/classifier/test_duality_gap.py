"""The gap of scikit-learn's logistic regressions is that of the definition."""

import numpy as np
import pytest
from logistic_objective import binary_gap, relative_gap
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.multiclass import OneVsRestClassifier

from offshelf.classifier.duality_gap import duality_gap
from offshelf.classifier.label import EachLabel

VALUES, TARGETS = make_classification(300, 12, n_informative=6, n_classes=3, random_state=0)
SIGNS = np.where(TARGETS[:, None] == np.arange(3), 1, -1).astype(np.int8)
ONES = np.ones(300)


@pytest.mark.parametrize("tol", [1e-1, 1e-8])
def test_multinomial(tol):
    """Stopped early, and converged; without a bias the bound is the same to all digits."""
    fitted = LogisticRegression(C=100, tol=tol, fit_intercept=False).fit(VALUES, TARGETS)
    expected = relative_gap(VALUES, TARGETS, ONES, fitted.coef_, 0.0, 100.0)
    assert duality_gap(fitted, VALUES, TARGETS) == pytest.approx(expected, rel=1e-6, abs=1e-12)
    fitted = LogisticRegression(C=100, tol=tol).fit(VALUES, TARGETS)
    expected = relative_gap(VALUES, TARGETS, ONES, fitted.coef_, fitted.intercept_, 100.0, "free")
    assert duality_gap(fitted, VALUES, TARGETS) == pytest.approx(expected, rel=0.01, abs=1e-4)


def test_weights_of_classes():
    """They multiply C."""
    fitted = LogisticRegression(tol=0.1, fit_intercept=False, class_weight={0: 2.0, 1: 0.5}).fit(VALUES, TARGETS)
    weights = np.array([2.0, 0.5, 1.0])[TARGETS]
    expected = relative_gap(VALUES, TARGETS, weights, fitted.coef_, 0.0, 1.0)
    assert duality_gap(fitted, VALUES, TARGETS) == pytest.approx(expected, rel=1e-6)


def test_binary_problems():
    """liblinear penalises the bias; of several problems the largest gap counts, rows of 0 do not."""
    signs = SIGNS.copy()
    signs[::7, 1] = 0
    model = LogisticRegression(solver="liblinear", tol=0.3, intercept_scaling=2.0)
    each = EachLabel(model).fit(VALUES, signs)
    expected = [
        binary_gap(VALUES[y != 0], y[y != 0], ONES[y != 0], part.coef_[0], part.intercept_[0], 1.0, "penalised", 2.0)
        for part, y in zip(each.fitted_, signs.T, strict=True)
    ]
    assert duality_gap(each, VALUES, signs) == pytest.approx(max(expected), rel=1e-6)
    ovr = OneVsRestClassifier(model).fit(VALUES, TARGETS)
    expected = [
        binary_gap(VALUES, y, ONES, part.coef_[0], part.intercept_[0], 1.0, "penalised", 2.0)
        for part, y in zip(ovr.estimators_, SIGNS.T, strict=True)
    ]
    assert duality_gap(ovr, VALUES, TARGETS) == pytest.approx(max(expected), rel=1e-6)
    two = OneVsRestClassifier(model).fit(VALUES[:, :4], TARGETS == 1)
    assert 0 < duality_gap(two, VALUES[:, :4], TARGETS == 1) < 1


@pytest.mark.parametrize(
    "estimator", [RidgeClassifier(), LogisticRegression(solver="liblinear", l1_ratio=1), LogisticRegression(C=np.inf)]
)
def test_what_has_no_gap(estimator):
    """Other losses, other penalties, none."""
    assert duality_gap(estimator.fit(VALUES, TARGETS > 0), VALUES, TARGETS > 0) is None
