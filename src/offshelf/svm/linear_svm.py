"""The linear SVM as a scikit-learn classifier, for one C."""

from typing import Any, Literal

import numpy as np

from offshelf.svm.base import LinearSVMBase
from offshelf.svm.encoding import Multiclass
from offshelf.svm.solver import Bias, Loss


class LinearSVM(LinearSVMBase):
    """A linear support vector machine, solved to a certified optimum.

    Each binary problem is min ½|w|² + C Σ c_i loss(y_i, w·x_i + b): C multiplies the sum of losses, as in liblinear and
    libsvm, not their mean.

    Args:
        C: Weight of the losses; positive.
        loss: `hinge` or `squared_hinge`.
        multiclass: For more than two classes, `ovr` (each against all others) or `ovo` (each pair).
        ovo_decision: The decision rule of pairs: `votes` (libsvm's; the first class wins ties) or the `sum` of the
            decision values.
        decision_function_shape: For pairs, `decision_function` returns scores of classes (`ovr`) or of pairs (`ovo`).
        bias: `penalised` (liblinear's: b²/2s² is added, s = intercept_scaling), `free` (libsvm's) or `none`.
        intercept_scaling: s above.
        class_weight: None, `balanced` or weights by class; see `Encoding.weights`.
        tol: Largest relative duality gap, (primal - dual) / primal. Up to 400 rows are solved to rounding error. It is
            relative to the objective at the solution, not to that at w = 0: if classes are separable and C is large,
            the objective is little more than ½|w|², and a gap of 1e-4 means losses below 1e-4 of that.
        device: `auto` (a GPU, if there is one, for more rows than a Gram matrix can hold), `cpu` or `cuda`.
        progress: Whether to show the problems solved and the time left, on stderr, if the fit takes over some seconds.

    Attributes:
        classes_: [K]; for several labels their numbers.
        coef_: float64 [P, D], a row per binary problem.
        intercept_: float64 [P].
        dual_gap_: float64 [P], the certificate: the gap of each problem on all rows.
        n_problems_: Number of binary problems.
        method_: Name of the method that solved the problems: `ovo`, `dual`, `binary` or `primal`;
            docs/svm.md says when which is chosen.
        fallback_method_: Name of the method that solved again what `method_` did not bring to `tol`, or None.
        n_fallback_tasks_: Number of classes (or pairs of classes) that it solved again.
    """

    def __init__(
        self,
        C: float = 1.0,
        *,
        loss: Loss = "hinge",
        multiclass: Multiclass = "ovr",
        ovo_decision: Literal["votes", "sum"] = "votes",
        decision_function_shape: Literal["ovr", "ovo"] = "ovr",
        bias: Bias = "penalised",
        intercept_scaling: float = 1.0,
        class_weight: Any = None,
        tol: float = 1e-4,
        device: Literal["auto", "cpu", "cuda"] = "auto",
        progress: bool = False,
    ) -> None:
        self.C = C
        self.loss = loss
        self.multiclass = multiclass
        self.ovo_decision = ovo_decision
        self.decision_function_shape = decision_function_shape
        self.bias = bias
        self.intercept_scaling = intercept_scaling
        self.class_weight = class_weight
        self.tol = tol
        self.device = device
        self.progress = progress

    def fit(self, X: np.ndarray, y: np.ndarray, sample_weight: np.ndarray | None = None) -> "LinearSVM":
        """Fit the model.

        Args:
            X: float [R, D]; memory-mapped arrays too large for a Gram matrix are streamed, not loaded.
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
