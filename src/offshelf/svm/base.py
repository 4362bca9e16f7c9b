"""The base class of linear SVMs: settings, the solver's certificates, scores of pairs of classes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from typing_extensions import override

from offshelf.svm.linear_classifier import LinearClassifier
from offshelf.svm.solver import Problems, solve
from offshelf.svm.solver.problem import RegularizationPath


class LinearSVMBase(LinearClassifier):
    """The common part of LinearSVM and LinearSVMCV; not an estimator by itself."""

    CHOICES = {  # noqa: RUF012 - declared as a ClassVar
        "loss": ("hinge", "squared_hinge"),
        "multiclass": ("ovr", "ovo"),
        "ovo_decision": ("votes", "sum"),
        "decision_function_shape": ("ovr", "ovo"),
        "bias": ("penalised", "free", "none"),
        "device": ("auto", "cpu", "cuda"),
    }
    decision_function_shape: str
    ovo_decision: str
    loss: Any
    device: str

    @override
    def decision_function(self, X: np.ndarray) -> np.ndarray:
        """Return w·x + b: [R] for two classes, [R, K], or [R, P] for pairs with `decision_function_shape=ovo`."""
        decisions = super().decision_function(X)
        if self.kind_ != "ovo" or self.decision_function_shape == "ovo":
            return decisions
        return self._encoding().scores(decisions, self._votes())

    @override
    def _votes(self) -> bool:
        return self.ovo_decision == "votes"

    def _solve(
        self, X: np.ndarray, y: np.ndarray, weights: np.ndarray, members_RV: np.ndarray, Cs: Sequence[float]
    ) -> RegularizationPath:
        """Solve all problems, and warn of those that do not reach the tolerance."""
        self._check_grid(Cs)
        encoding = self._encoding()
        weights_RP = encoding.weights(y, weights, self.class_weight)
        problems = Problems(
            encoding.signs(y), members_RV, weights_RP, self.loss, self.bias, float(self.intercept_scaling)
        )
        yield from self._reported(solve(X, problems, Cs, self.tol, self.device), "SVM")
