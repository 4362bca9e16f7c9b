"""The base class of linear SVMs: validation of settings and data, the solver's certificates, decision values."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_is_fitted, validate_data

from offshelf.svm.encoding import Encoding, encode
from offshelf.svm.fit_progress import shown
from offshelf.svm.monitor import Monitor
from offshelf.svm.solver import OneVsOneSigns, Problems, shape_of, solve
from offshelf.svm.solver.dispatch import choose_method
from offshelf.svm.solver.problem import RegularizationPath

_CHOICES = {
    "loss": ("hinge", "squared_hinge"),
    "multiclass": ("ovr", "ovo"),
    "ovo_decision": ("votes", "sum"),
    "decision_function_shape": ("ovr", "ovo"),
    "bias": ("penalised", "free", "none"),
    "device": ("auto", "cpu", "cuda"),
}
_DTYPES = [np.float64, np.float32, np.float16]


class LinearSVMBase(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """The common part of LinearSVM and LinearSVMCV; not an estimator by itself."""

    classes_: np.ndarray
    coef_: np.ndarray
    intercept_: np.ndarray
    multiclass: Any
    decision_function_shape: str
    ovo_decision: str
    loss: Any
    bias: Any
    intercept_scaling: float
    class_weight: Any
    tol: float
    device: str
    progress: bool

    def decision_function(self, X: np.ndarray) -> np.ndarray:
        """Return w·x + b: [R] for two classes, [R, K], or [R, P] for pairs with `decision_function_shape=ovo`."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=_DTYPES[:2], reset=False)
        decisions = X @ self.coef_.T + self.intercept_
        if self._encoding().kind == "binary":
            return decisions[:, 0]
        if self.decision_function_shape == "ovo":
            return decisions
        return self._encoding().scores(decisions, self.ovo_decision == "votes")

    def predict(self, X: np.ndarray) -> np.ndarray:
        """Return classes [R], or 0 and 1 for each of several labels [R, K]."""
        check_is_fitted(self)
        X = validate_data(self, X, dtype=_DTYPES[:2], reset=False)
        return self.labels_of(X @ self.coef_.T + self.intercept_)

    def class_scores(self, decisions: np.ndarray) -> np.ndarray:
        """Return scores of classes [R, K] from decision values, [R] for two classes, else [R, P]; the largest wins."""
        encoding = self._encoding()
        if encoding.kind == "binary":
            first = np.ravel(decisions)
            return np.stack([-first, first], axis=1)
        return encoding.scores(decisions, self.ovo_decision == "votes")

    def labels_of(self, decisions: np.ndarray) -> np.ndarray:
        """Return classes from decision values, [R] for two classes, else [R, P]; they may be fused ones."""
        return self._encoding().labels(decisions, self.ovo_decision == "votes")

    def expected_method(self, rows: int, dims: int, classes: int) -> str:
        """Return the method that `fit` would choose for classes of equal size in memory, on a CPU, as in `method_`.

        Without a C compiler, and on a GPU, it is `primal` in any case.
        """
        numbers_R, is_ovo = np.arange(rows) % classes, self.multiclass == "ovo" and classes > 2
        tasks = classes if classes > 2 else 1
        signs_RK = (
            OneVsOneSigns(numbers_R, *np.triu_indices(classes, 1))
            if is_ovo
            else np.broadcast_to(np.int8(1), (rows, tasks))
        )
        folds, values = self._size()
        members_RV = np.broadcast_to(np.True_, (rows, folds + 1))
        problems = Problems(signs_RK, members_RV, np.ones((1, 1)), self.loss, self.bias, float(self.intercept_scaling))
        return choose_method(shape_of(np.broadcast_to(np.float32(0), (rows, dims)), problems, values))

    def _size(self) -> tuple[int, int]:
        """Return the numbers of folds and of values of C."""
        return 0, 1

    def _encoding(self) -> Encoding:
        return Encoding(self.classes_, self.kind_)

    def _check(self, X: Any, y: Any, sample_weight: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Validate the settings and data, and set the classes. Returns X [R, D], y and weights, each [R] or [R, K]."""
        self._check_settings()
        several = y is not None and type_of_target(y).startswith("multilabel")
        X, y = validate_data(self, X, y, dtype=_DTYPES, multi_output=several, y_numeric=False)
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
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} must be one of {', '.join(choices)}; got {getattr(self, name)!r}.")
        for name in ("tol", "intercept_scaling"):
            if not 0 < getattr(self, name) < np.inf:
                raise ValueError(f"{name} must be a positive number; got {getattr(self, name)}.")

    def _solve(
        self, X: np.ndarray, y: np.ndarray, weights: np.ndarray, members_RV: np.ndarray, Cs: Sequence[float]
    ) -> RegularizationPath:
        """Solve all problems, and warn of those that do not reach the tolerance."""
        if min(Cs) <= 0 or not np.isfinite(Cs).all():
            raise ValueError(f"C must be a positive number; got {min(Cs)}.")
        encoding = self._encoding()
        weights_RP = encoding.weights(y, weights, self.class_weight)
        problems = Problems(
            encoding.signs(y), members_RV, weights_RP, self.loss, self.bias, float(self.intercept_scaling)
        )
        short, count, worst, monitor = 0, 0, 0.0, Monitor()
        with shown(monitor, self.progress):
            for chosen, solution in solve(X, problems, Cs, self.tol, self.device, monitor):
                gap_KV = np.nan_to_num(solution.gap_KV, nan=np.inf)
                short += int((gap_KV > self.tol).sum())
                count += gap_KV.size
                worst = max(worst, float(gap_KV.max()))
                yield chosen, solution
        self.n_problems_ = count
        self.method_, self.n_fallback_tasks_ = monitor.method, monitor.fallback_tasks
        self.fallback_method_ = monitor.fallback if monitor.fallback_tasks else None
        if short:
            warnings.warn(
                f"{short} of {count} SVM problems did not converge: the largest relative duality gap is {worst:.1e}, "
                f"not {self.tol:.1e}. Scale the features, or try smaller values of C.",
                ConvergenceWarning,
                stacklevel=3,
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
