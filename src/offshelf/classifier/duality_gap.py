"""The relative duality gap of scikit-learn's logistic regressions, which stop by other rules."""

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from offshelf.logistic.solver.problem import Bias


def duality_gap(fitted: Any, X: np.ndarray, y: np.ndarray) -> float | None:
    """Return the largest relative duality gap of the problems of a fitted estimator; None if it has none.

    Args:
        fitted: A `LogisticRegression` with an L2 penalty, a `OneVsRestClassifier` or `EachLabel` of them, or any other.
        X: float [R, D]; what it was fitted to, without weights.
        y: Classes [R], or 1, -1 and 0 (not counted) of several labels [R, K].
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    from offshelf.classifier.label import EachLabel

    if isinstance(fitted, EachLabel):
        found = [
            duality_gap(part, X[signs != 0], signs[signs != 0])
            for part, signs in zip(fitted.fitted_, y.T, strict=True)
            if not isinstance(part, float)
        ]
    elif isinstance(fitted, OneVsRestClassifier):
        classes = fitted.classes_[-len(fitted.estimators_) :]  # two classes have one estimator, of the second
        found = [
            duality_gap(part, X, (y == name).astype(int))
            for part, name in zip(fitted.estimators_, classes, strict=True)
        ]
    else:
        return _gap(fitted, X, y) if type(fitted) is LogisticRegression and _is_ridge(fitted) else None
    gaps = [gap for gap in found if gap is not None]
    return max(gaps) if gaps else None


def _is_ridge(fitted: Any) -> bool:
    is_l2 = getattr(fitted, "penalty", "l2") in ("l2", "deprecated") and not getattr(fitted, "l1_ratio", 0)
    return is_l2 and np.isfinite(fitted.C) and not getattr(fitted, "dual", False)


def _gap(fitted: Any, X: np.ndarray, y: np.ndarray) -> float:
    from sklearn.utils.class_weight import compute_sample_weight

    from offshelf.logistic.solver import Problems, relative_gap

    classes, is_liblinear = fitted.classes_, fitted.solver == "liblinear"
    bias: Bias = "none" if not fitted.fit_intercept else "penalised" if is_liblinear else "free"
    members = np.ones((len(X), 1), bool)
    weights = compute_sample_weight(fitted.class_weight, y)[:, None]
    numbers = np.searchsorted(classes, y)
    shape: tuple[int, int] = (1, len(fitted.coef_))
    labels: np.ndarray = numbers
    if len(fitted.coef_) == 1 or is_liblinear:
        shape = (len(fitted.coef_), 1)
        positive = np.arange(len(classes))[-len(fitted.coef_) :]
        labels = np.where(numbers[:, None] == positive, 1, -1).astype(np.int8)
    problems = Problems(labels, shape[1], members, weights, bias, float(fitted.intercept_scaling))
    coefficients = np.asarray(fitted.coef_, np.float64).reshape(*shape, -1)
    intercepts = np.broadcast_to(np.asarray(fitted.intercept_, np.float64).ravel(), len(fitted.coef_))
    return relative_gap(X, problems, (coefficients, intercepts.reshape(shape)), float(fitted.C))
