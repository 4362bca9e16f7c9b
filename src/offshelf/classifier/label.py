"""Multi-label classification by estimators of single labels."""

from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, clone


class EachLabel(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A binary classifier for each label, fitted to the samples that count for it.

    Unlike scikit-learn's MultiOutputClassifier it omits samples label by label, and returns decision values.
    """

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator

    def fit(self, X: np.ndarray, y: np.ndarray) -> "EachLabel":
        """Fit to rows [R, D] and signs [R, K]: 1, -1 or 0 (not counted)."""
        self.classes_ = np.arange(y.shape[1])
        self.fitted_ = [_fit(self.estimator, X[signs != 0], signs[signs != 0]) for signs in y.T]
        return self

    def decision_function(self, X: np.ndarray) -> np.ndarray:
        """Return decision values [R, K]; a label is predicted where its value is above 0."""
        return np.stack([_decide(one, X) for one in self.fitted_], axis=1)

    def class_scores(self, decisions_RK: np.ndarray) -> np.ndarray:
        """Return decision values as scores of the labels."""
        return decisions_RK


def _fit(estimator: Any, X: np.ndarray, signs: np.ndarray) -> Any:
    """Return a fitted copy, or the sign if all samples have the same."""
    found = np.unique(signs)
    return clone(estimator).fit(X, signs) if len(found) == 2 else float(found[0]) if len(found) else -1.0


def _decide(fitted: Any, X: np.ndarray) -> np.ndarray:
    if isinstance(fitted, float):
        return np.full(len(X), fitted)
    if hasattr(fitted, "decision_function"):
        values: np.ndarray = fitted.decision_function(X)
        return values
    return fitted.predict_proba(X)[:, 1] - 0.5
