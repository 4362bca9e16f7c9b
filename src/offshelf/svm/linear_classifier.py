"""The common part of linear classifiers with a certified duality gap: validation of settings and data, predictions."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_is_fitted, validate_data

from offshelf.svm.encoding import Encoding, encode

DTYPES = [np.float64, np.float32, np.float16]

Group = tuple[slice, np.ndarray, Callable[[], tuple[np.ndarray, np.ndarray]]]
"""Columns of the models, the gaps of the full fits, and a function that returns their weights and biases."""


class LinearClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A linear classifier of dense features; not an estimator by itself."""

    CHOICES: ClassVar[Mapping[str, Sequence[str]]]
    """The values of each setting that has a few."""

    classes_: np.ndarray
    coef_: np.ndarray
    intercept_: np.ndarray
    multiclass: Any
    bias: Any
    intercept_scaling: float
    class_weight: Any
    tol: float

    def decision_function(self, X: np.ndarray) -> np.ndarray:
        """Return w·x + b: [R] for two classes, else [R, K]."""
        decisions = self._decisions(X)
        return decisions[:, 0] if self._encoding().kind == "binary" else decisions

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return classes [R], or 0 and 1 for each of several labels [R, K]."""
        return self.labels_of(self._decisions(X))

    def class_scores(self, decisions: np.ndarray) -> np.ndarray:
        """Return scores of classes [R, K] from decision values, [R] for two classes, else [R, P]; the largest wins."""
        encoding = self._encoding()
        if encoding.kind == "binary":
            first = np.ravel(decisions)
            return np.stack([-first, first], axis=1)
        return encoding.scores(decisions, self._votes())

    def labels_of(self, decisions: np.ndarray) -> np.ndarray:
        """Return classes from decision values, [R] for two classes, else [R, P]; they may be fused ones."""
        return self._encoding().labels(decisions, self._votes())

    def _votes(self) -> bool:
        """Return whether pairs of classes vote."""
        return False

    def _decisions(self, X: np.ndarray) -> np.ndarray:
        check_is_fitted(self)
        X = validate_data(self, X, dtype=DTYPES[:2], reset=False)
        decisions: np.ndarray = X @ self.coef_.T + self.intercept_
        return decisions

    def _encoding(self) -> Encoding:
        return Encoding(self.classes_, self.kind_)

    def _check(self, X: Any, y: Any, sample_weight: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Validate the settings and data, and set the classes. Returns X [R, D], y and weights, each [R] or [R, K]."""
        self._check_settings()
        is_column = y is None or getattr(y, "ndim", 0) == 1  # spared a search, which takes as long as a small fit
        several = not is_column and type_of_target(y).startswith("multilabel")
        X, y = validate_data(self, X, y, dtype=DTYPES, multi_output=several, y_numeric=False)
        weights = np.ones(len(X)) if sample_weight is None else np.asarray(sample_weight, np.float64)
        fits = weights.shape in ((len(X),), y.shape if several else (len(X),))
        if not fits or not np.isfinite(weights).all() or (weights < 0).any():
            raise ValueError(f"sample_weight must be {len(X)} finite, non-negative numbers; got shape {weights.shape}.")
        if not weights.any():
            raise ValueError(
                "All samples have a weight of zero; at least one sample of each class needs a positive weight."
            )
        encoding = encode(y, weights, self.multiclass)
        self.classes_, self.kind_ = encoding.classes_K, encoding.kind
        return X, y, weights

    def _check_settings(self) -> None:
        if isinstance(self.class_weight, str) and self.class_weight != "balanced":
            raise ValueError(f"class_weight must be None, 'balanced' or weights by class; got {self.class_weight!r}.")
        for name, choices in self.CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} must be one of {', '.join(choices)}; got {getattr(self, name)!r}.")
        for name in ("tol", "intercept_scaling"):
            if not 0 < getattr(self, name) < np.inf:
                raise ValueError(f"{name} must be a positive number; got {getattr(self, name)}.")

    def _check_grid(self, Cs: Sequence[float]) -> None:
        if min(Cs) <= 0 or not np.isfinite(Cs).all():
            raise ValueError(f"C must be a positive number; got {min(Cs)}.")

    def _reported(self, path: Iterator[tuple[slice, Any]], kind: str) -> Iterator[tuple[slice, Any]]:
        """Yield the solutions of a path, count its problems, and warn of those that do not reach the tolerance."""
        short, count, worst = 0, 0, 0.0
        for chosen, solution in path:
            gap_KV = np.nan_to_num(solution.gap_KV, nan=np.inf)
            short += int((gap_KV > self.tol).sum())
            count += gap_KV.size
            worst = max(worst, float(gap_KV.max()))
            yield chosen, solution
        self.n_problems_ = count
        if short:
            warnings.warn(
                f"{short} of {count} {kind} problems did not converge: the largest relative duality gap is "
                f"{worst:.1e}, not {self.tol:.1e}. Scale the features, or try smaller values of C.",
                ConvergenceWarning,
                stacklevel=4,
            )

    def _set_models(self, models: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> None:
        """Set the attributes from the weights [D, P], biases [P] and gaps [P] of groups of problems."""
        weights, biases, gaps = zip(*models, strict=True)
        self.coef_ = (weights[0] if len(weights) == 1 else np.concatenate(weights, axis=1)).T
        self.intercept_ = np.concatenate(biases)
        self.dual_gap_ = np.concatenate(gaps)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        tags.target_tags.two_d_labels = False
        return tags
