"""The base class of ridge probes: validation of settings and data, the factorisation, predictions."""

from collections.abc import Callable, Generator, Sequence
from typing import Any, TypeVar

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from offshelf.ridge.covariance import Covariance
from offshelf.ridge.gram import Gram
from offshelf.ridge.problem import Factorised, Problem
from offshelf.svm.linear_classifier import DTYPES
from offshelf.svm.monitor import Monitor, monitored
from offshelf.svm.solver.background import in_background

T = TypeVar("T")


class RidgeProbeBase(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """The common part of RidgeProbe and RidgeProbeCV; not an estimator by itself."""

    coef_: np.ndarray
    intercept_: float

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return numbers, float64 [R], for rows float [R, D]."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=DTYPES[:2], reset=False)
        found: np.ndarray = X @ self.coef_ + self.intercept_
        return found

    def _check(self, X: Any, y: Any, sample_weight: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return valid X [R, D], y float64 [R] and weights float64 [R].

        Raises:
            ValueError: they are invalid.
        """
        X, y = validate_data(self, X, y, dtype=DTYPES, y_numeric=True)
        weights = np.ones(len(X)) if sample_weight is None else np.asarray(sample_weight, np.float64)
        if weights.shape != (len(X),) or not np.isfinite(weights).all() or (weights < 0).any():
            raise ValueError(f"sample_weight must be {len(X)} finite, non-negative numbers; got shape {weights.shape}.")
        if not weights.any():
            raise ValueError("All samples have a weight of zero; at least one needs a positive weight.")
        return X, y.astype(np.float64), weights

    def _check_penalties(self, alphas: Sequence[float]) -> None:
        if not len(alphas) or not all(0 < alpha < np.inf for alpha in alphas):
            raise ValueError(f"alpha must be a positive number, or positive numbers; got {list(alphas)}.")


def factorise(problem: Problem) -> Factorised:
    """Factorise the smaller one of the two matrices."""
    return Gram(problem) if problem.X.shape[0] <= problem.X.shape[1] else Covariance(problem)


def interruptible(work: Callable[[], T]) -> T:
    """Return the result of work in another thread, so that Ctrl-C ends this one's waiting for it."""

    def once() -> Generator[T, None, None]:
        with monitored(monitor):
            yield work()

    monitor = Monitor()
    return next(iter(in_background(once, monitor)))
