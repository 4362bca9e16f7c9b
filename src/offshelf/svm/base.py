"""The base class of linear SVMs: settings, the solver's certificates, scores of pairs of classes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from typing_extensions import override

from offshelf.svm.fit_progress import shown
from offshelf.svm.linear_classifier import LinearClassifier
from offshelf.svm.monitor import Monitor
from offshelf.svm.solver import OneVsOneSigns, Problems, shape_of, solve
from offshelf.svm.solver.dispatch import choose_method
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
    progress: bool

    @override
    def decision_function(self, X: np.ndarray) -> np.ndarray:
        """Return w·x + b: [R] for two classes, [R, K], or [R, P] for pairs with `decision_function_shape=ovo`."""
        decisions = super().decision_function(X)
        if self.kind_ != "ovo" or self.decision_function_shape == "ovo":
            return decisions
        return self._encoding().scores(decisions, self._votes())

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
        monitor = Monitor()
        with shown(monitor, self.progress):
            yield from self._reported(solve(X, problems, Cs, self.tol, self.device, monitor), "SVM")
        self.method_, self.n_fallback_tasks_ = monitor.method, monitor.fallback_tasks
        self.fallback_method_ = monitor.fallback if monitor.fallback_tasks else None
