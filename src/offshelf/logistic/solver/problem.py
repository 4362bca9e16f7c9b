"""The mathematics of the solver: logistic regressions on the same rows, and their duality gap.

Axes: R rows, D features, T tasks, V variants of each task (folds, and last the full fit), B = T V problems, G columns
of a problem (the classes of a multinomial one; 1 if it is binary), P = T G columns of a model.

    min  ½|W|² + |b|²/2s² + C Σ_i c_i (log Σ_k exp z_ik − z_i,y(i)),    z_i = W x_i + b

for K classes, and with log(1 + exp(−y_i z_i)) for a binary problem, whose y is 1 or -1. As in scikit-learn C weighs the
sum of losses. The bias is penalised (s = intercept_scaling), free (s → ∞) or none.

For any distributions q_i over the classes, with A_ik = C c_i ([y(i) = k] − q_ik) and H the entropy,

    −½|A'X|² − ½s²|Σ_i A_i|² + C Σ_i c_i H(q_i)

is a lower bound of the minimum if, with a free bias, Σ_i A_i = 0 (Yu, Huang, Lin, "Dual coordinate descent methods for
logistic regression and maximum entropy models", Machine Learning 2011). With q = softmax(z) the difference to the
objective, the duality gap, is half of the squared norm of the objective's gradient, W − A'X. It is no less than the
distance of the objective from its minimum.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

Bias = Literal["penalised", "free", "none"]

ABSENT = -1e30
"""Free bias of a class without rows in a fold: its probability is 0."""


@dataclass(frozen=True, eq=False)
class Problems:
    """The labels and weights of T x V problems on R rows."""

    labels: np.ndarray
    """Class numbers int64 [R] of one multinomial task, or int8 [R, T]: 1 and -1 of binary tasks."""
    classes: int
    """Columns of a problem, G: the number of classes; 1 for binary tasks."""
    members_RV: np.ndarray
    """bool: the rows that each variant is fitted to."""
    weights_RT: np.ndarray
    """float64: the factors of C, 0 for rows that are ignored; [R, 1] if all tasks share them."""
    bias: Bias = "free"
    intercept_scaling: float = 1.0

    @property
    def tasks(self) -> int:
        """The number of tasks, T."""
        return self.labels.shape[1] if self.labels.ndim == 2 else 1

    def groups(self, values: int) -> list[slice]:
        """Divide the tasks into groups of at most `values` rows x columns x variants each, or one task."""
        size = max(1, values // (self.members_RV.size * self.classes))
        return [slice(start, min(start + size, self.tasks)) for start in range(0, self.tasks, size)]

    def some(self, tasks: slice) -> "Problems":
        """Return some of the tasks, in all their variants."""
        labels = self.labels[:, tasks] if self.labels.ndim == 2 else self.labels
        weights = self.weights_RT if self.weights_RT.shape[1] == 1 else self.weights_RT[:, tasks]
        return Problems(labels, self.classes, self.members_RV, weights, self.bias, self.intercept_scaling)

    def case_weights(self) -> np.ndarray:
        """Return the factors of C of each problem: float64 [B, R], the variants of a task next to each other."""
        weights_TR = np.broadcast_to(self.weights_RT.T, (self.tasks, len(self.members_RV)))
        each = weights_TR[:, None] * np.ascontiguousarray(self.members_RV.T)
        return each.reshape(-1, len(self.members_RV))


@dataclass(frozen=True, eq=False)
class Solution:
    """The problems of some tasks, solved at one C."""

    C: float
    """The number as it was given, so that it can be compared and looked up."""
    decisions: Callable[[np.ndarray, int], np.ndarray]
    """Function of row numbers [H] and a variant that returns the scores z, [H, P]."""
    gap_KV: np.ndarray
    """Relative duality gaps, (primal − dual) / primal: the certificates, from float64 products for the full fit; those
    of folds may come from float32 products."""
    model: Callable[[], tuple[np.ndarray, np.ndarray]]
    """Function that returns the weights [D, P] and biases [P] of the full fit: float64."""
    passes_KV: np.ndarray
    """Passes that each problem took at this C: products with the rows and with their transpose, a pair being one."""


RegularizationPath = Iterator[tuple[slice, Solution]]
"""Columns in groups, and the solution of each group at each C, in ascending order."""
