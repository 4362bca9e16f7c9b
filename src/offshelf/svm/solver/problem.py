"""The mathematics that all methods share: a batch of binary linear SVMs on the same rows.

Axes: R rows, D features, K tasks (classes, or pairs of classes), V variants of each task (folds, and last
the full fit).

    min  ½|w|² + b²/2s² + Σ_i C c_i ℓ(1 − y_i (w·x_i + b)),    ℓ(t) = max(0, t)  or  max(0, t)²

The bias is penalised (liblinear's, s = intercept_scaling), free (libsvm's, s → ∞) or none (s = 0). As in both
libraries C weighs the sum of losses, so a fold's C is not rescaled by its size. With y = ±1, K_ij = x_i·x_j + s² and
β = y α the dual is

    max  Σ y_i β_i − ½ β'Kβ − ½ Σ e_i β_i²,    0 ≤ y_i β_i ≤ U_i

with U = C c, e = 0 for the hinge and U = ∞, e = 1/(2 C c) for the squared hinge; a free bias adds Σ β = 0. Then
w = Σ β_i x_i, and the difference of the two objectives, the duality gap, bounds how far either is from the optimum
(Hsieh et al., "A dual coordinate descent method for large-scale linear SVM", ICML 2008; Fan et al., "LIBLINEAR", JMLR
2008, appendix).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

Loss = Literal["hinge", "squared_hinge"]
Bias = Literal["penalised", "free", "none"]

EXACT_ROWS = 400
"""Most rows for which problems are solved to rounding error."""
ROWS_PER_GROUP = 8
"""Fewest rows of a class, in the mean, whose mean is of use: `path_binary` begins with it."""
PENALTY = 1e3
"""Penalty parameter of the method of multipliers for a free bias, in units of max(1, 1/C); see `path_dual`."""


@dataclass(frozen=True, eq=False)
class OneVsOneSigns:
    """The signs of P pairs of classes, computed on access: the first class positive, rows of other classes 0."""

    numbers_R: np.ndarray
    """The class of each row, counted from 0."""
    first_P: np.ndarray
    second_P: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        """The shape of the matrix of signs: R, P."""
        return len(self.numbers_R), len(self.first_P)

    @cached_property
    def order_R(self) -> np.ndarray:  # noqa: N802 - named with its axis
        """Row numbers in the order of their classes."""
        return np.argsort(self.numbers_R, kind="stable")

    @cached_property
    def rows_by_class(self) -> list[np.ndarray]:
        """Row numbers of each class."""
        counts = np.bincount(self.numbers_R, minlength=1 + int(self.second_P.max(initial=0)))
        return np.split(self.order_R, np.cumsum(counts)[:-1])

    def __getitem__(self, at: tuple[Any, Any]) -> np.ndarray:
        """Return the signs of some rows in some pairs: int8, indexed as an array."""
        numbers, first, second = self.numbers_R[at[0]], self.first_P[at[1]], self.second_P[at[1]]
        is_first, is_second = np.equal.outer(numbers, first), np.equal.outer(numbers, second)
        return is_first.astype(np.int8) - is_second.astype(np.int8)


@dataclass(frozen=True, eq=False)
class Problems:
    """The labels and weights of K x V binary problems on R rows."""

    signs_RK: np.ndarray | OneVsOneSigns
    """int8: 1 positive, -1 negative, 0 not in this task."""
    members_RV: np.ndarray
    """bool: the rows that each variant is fitted to."""
    weights_RK: np.ndarray
    """float64: the factors of C, 0 for rows that are ignored; [R, 1] if all tasks share them."""
    loss: Loss = "hinge"
    bias: Bias = "penalised"
    intercept_scaling: float = 1.0

    @property
    def shape(self) -> tuple[int, int, int]:
        """The axes R, K, V."""
        return (*self.signs_RK.shape, self.members_RV.shape[1])

    def groups(self, values: int) -> list[slice]:
        """Divide the tasks into groups of which each has at most `values` rows x problems, or one task."""
        rows, tasks, variants = self.shape
        size = max(1, values // (rows * variants))
        return [slice(start, min(start + size, tasks)) for start in range(0, tasks, size)]

    def tasks(self, chosen: slice | np.ndarray) -> "Problems":
        """Return some of the tasks, in all their variants, with their signs as an array."""
        weights = self.weights_RK if self.weights_RK.shape[1] == 1 else self.weights_RK[:, chosen]
        return Problems(
            self.signs_RK[:, chosen], self.members_RV, weights, self.loss, self.bias, self.intercept_scaling
        )

    def task(self, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the rows of a task, their signs, and their factors of C: int64 [N], float64 [N] and [V, N]."""
        signs = self.signs_RK
        if isinstance(signs, OneVsOneSigns):
            first, second = (signs.rows_by_class[chosen[number]] for chosen in (signs.first_P, signs.second_P))
            rows_N, sign_N = np.concatenate([first, second]), np.repeat([1.0, -1.0], [len(first), len(second)])
        else:
            rows_N = np.flatnonzero(signs[:, number])
            sign_N = signs[rows_N, number].astype(np.float64)
        weights_N = self.weights_RK[rows_N, 0 if self.weights_RK.shape[1] == 1 else number]
        return rows_N, sign_N, np.ascontiguousarray(self.members_RV[rows_N].T * weights_N)

    def case_weights(self) -> np.ndarray:
        """Return the factors of C: float64 [K, V, R], 0 for rows not fitted to; [1, V, R] if tasks share them."""
        is_member_KR = self.signs_RK[:, :].T != 0
        weights_KR = self.weights_RK.T if is_member_KR.all() else self.weights_RK.T * is_member_KR
        return weights_KR[:, None] * np.ascontiguousarray(self.members_RV.T)


@dataclass(frozen=True, eq=False)
class Solution:
    """All problems solved at one C."""

    C: float
    """The number as it was given, so that it can be compared and looked up."""
    decisions: Callable[[np.ndarray, int], np.ndarray]
    """Function of row numbers [H] and a variant that returns w·x + b [H, K]: float32 or float64."""
    gap_KV: np.ndarray
    """Relative duality gaps, (primal − dual) / primal: the certificates. They are computed in float64 for the full fit;
    those of folds may use decision values from float32 products."""
    model: Callable[[], tuple[np.ndarray, np.ndarray]]
    """Function that returns w [D, K] and b [K] of the full fit: float64."""


RegularizationPath = Iterator[tuple[slice, Solution]]
"""Tasks in groups, and the solution of each group at each C, in ascending order."""


def relative_gap(primal: np.ndarray, dual: np.ndarray) -> np.ndarray:
    """Return (primal − dual) / primal: 0 where the primal is 0 (no rows), infinite where either is not finite.

    The objective is ½|w|² and more, so that a gap of ε bounds the distance from the optimum w*: ½|w − w*|² ≤ ε primal.
    It does not depend on the scale of the features. Where the classes are separable and C is large, hardly anything but
    ½|w|² is left of the objective, however small it is in absolute terms, and ε says most: w is right to √ε of its
    length, 1 % at 1e-4, and so are the margins in relation to the widest one. A gap in relation to anything larger,
    such as the objective at w = 0, which is C Σ c, would allow any w there. Where losses dominate, at small C or with
    much overlap, the same ε says that they are right to ε, and less about w.
    """
    difference = np.maximum(primal - dual, 0)
    gap = np.divide(difference, primal, out=np.zeros_like(difference), where=primal > 0)
    return np.where(np.isfinite(primal) & np.isfinite(dual), gap, np.inf)


def balance(beta: np.ndarray, axis: int) -> None:
    """Scale down the larger of the positive and the negative sum along an axis, in place: Σ β = 0."""
    positive, negative = (np.maximum(side, 0).sum(axis=axis, keepdims=True) for side in (beta, -beta))
    least = np.minimum(positive, negative)
    factors = [np.divide(least, side, out=np.zeros_like(least), where=side > 0) for side in (positive, negative)]
    beta *= np.where(beta > 0, *factors)
