"""Logistic regression as a scikit-learn classifier, for one C."""

from typing import Any, Literal

import numpy as np
from typing_extensions import override

from offshelf.logistic.base import LogisticProbeBase
from offshelf.logistic.solver import Bias


class LogisticProbe(LogisticProbeBase):
    """Logistic regression, L2-penalised, solved to a certified optimum.

    A multinomial problem is min ½|W|² + C Σ c_i (log Σ_k exp z_ik - z_i,y(i)), z_i = W x_i + b, and a binary one the
    same with log(1 + exp(-y_i z_i)): C multiplies the sum of losses, as in scikit-learn.

    Args:
        C: Weight of the losses; positive.
        multiclass: For more than two classes, `multinomial` (softmax) or `ovr` (each against all others).
        bias: `free` (scikit-learn's), `penalised` (b²/2s² is added, s = intercept_scaling) or `none`.
        intercept_scaling: s above.
        class_weight: None, `balanced` or weights by class; see `Encoding.weights`.
        tol: Largest relative duality gap, (primal - dual) / primal.
        warm_start: Start from the last fit's solution, if its classes and features are as many.

    Attributes:
        classes_: [K]; for several labels their numbers.
        coef_: float64 [P, D], a row per class, or one for two classes.
        intercept_: float64 [P]. A label that all rows have, or none, has no optimum with a free bias: its weights are
            0, and its bias is log((n₊ + 1) / (n₋ + 1)).
        dual_gap_: float64, the certificate: [1] if the problem is multinomial, else the gap of each binary one, [P].
        n_problems_: Number of problems.
    """

    def __init__(
        self,
        C: float = 1.0,
        *,
        multiclass: Literal["multinomial", "ovr"] = "multinomial",
        bias: Bias = "free",
        intercept_scaling: float = 1.0,
        class_weight: Any = None,
        tol: float = 1e-4,
        warm_start: bool = False,
    ) -> None:
        self.C = C
        self.multiclass = multiclass
        self.bias = bias
        self.intercept_scaling = intercept_scaling
        self.class_weight = class_weight
        self.tol = tol
        self.warm_start = warm_start

    def fit(self, X: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None = None) -> "LogisticProbe":
        """Fit the model.

        Args:
            X: float [R, D]; memory-mapped arrays are streamed, not loaded.
            y: Classes [R], or an indicator matrix [R, K] of several labels.
            sample_weight: [R] or, for several labels, [R, K], where 0 excludes a row from a class.

        Raises:
            ValueError: the settings or the data are invalid.
        """
        X, y, weights = self._check(X, y, sample_weight)
        members = np.ones((len(X), 1), bool)
        solved = list(self._solve(X, y, weights, members, [self.C]))
        self._set_models([(*solution.model(), solution.gap_KV[:, -1]) for _, solution in solved])
        return self

    @override
    def _start(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        columns = 1 if self.kind_ == "binary" else len(self.classes_)
        if not self.warm_start or getattr(self, "coef_", np.empty(0)).shape != (columns, X.shape[1]):
            return None
        return self.coef_, self.intercept_
