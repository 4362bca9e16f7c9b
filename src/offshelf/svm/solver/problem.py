"""What is solved: a batch of binary linear SVMs on the same rows.

Axes: R rows, D features, K tasks (classes, or pairs of classes), V variants of each task (folds and the whole).

    min  ½|w|² + b²/2s² + Σ_i C c_i ℓ(1 − y_i (w·x_i + b)),    ℓ(t) = max(0, t)  or  max(0, t)²

The bias is penalised (liblinear's, s = intercept_scaling), free (libsvm's, s → ∞) or none (s = 0). As in both
libraries C weighs the sum of losses, so a fold's C is not rescaled by its size. With y = ±1, K_ij = x_i·x_j + s² and
β = y α the dual is

    max  Σ y_i β_i − ½ β'Kβ − ½ Σ e_i β_i²,    0 ≤ y_i β_i ≤ U_i

with U = C c, e = 0 for the hinge and U = ∞, e = 1/(2 C c) for the squared hinge; a free bias adds Σ β = 0. Then
w = Σ β_i x_i, and the difference of the two objectives bounds how far either is from the optimum (Hsieh et al., ICML
2008; Fan et al., JMLR 2008, appendix).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

Loss = Literal["hinge", "squared_hinge"]
Bias = Literal["penalised", "free", "none"]

COMPACT = 400
"""Up to so many rows, problems are solved to rounding error."""
MULTIPLIER = 1e3
"""κ of a free bias, in units of 1/C where that is more; see `dual`."""
STRETCHES = (1.0, 1 + 1e-6, 1 + 1e-5, 1 + 3e-5, 1 + 1e-4, 1 + 3e-4, 1 + 1e-3)
"""Factors of w among which the best primal point is chosen: a hard margin that is short of 1 by a rounding error costs
C times that error."""


@dataclass(frozen=True, eq=False)
class PairSigns:
    """The signs of P pairs of classes, made as they are asked for: the first class positive, other rows 0."""

    numbers_R: np.ndarray
    """The class of each row, counted from 0."""
    first_P: np.ndarray
    second_P: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        """R, P."""
        return len(self.numbers_R), len(self.first_P)

    @cached_property
    def order_R(self) -> np.ndarray:  # noqa: N802 - named with its axis
        """The rows, class by class."""
        return np.argsort(self.numbers_R, kind="stable")

    def __getitem__(self, at: tuple[Any, Any]) -> np.ndarray:
        """Of some rows, in some pairs: int8, as an array's."""
        numbers, first, second = self.numbers_R[at[0]], self.first_P[at[1]], self.second_P[at[1]]
        is_first, is_second = np.equal.outer(numbers, first), np.equal.outer(numbers, second)
        return is_first.astype(np.int8) - is_second.astype(np.int8)


@dataclass(frozen=True, eq=False)
class Problems:
    """The labels and weights of K x V binary problems on R rows."""

    signs_RK: np.ndarray | PairSigns
    """int8: 1 positive, -1 negative, 0 not in this task."""
    members_RV: np.ndarray
    """bool: rows that each variant is fitted to."""
    weights_RK: np.ndarray
    """float64: what C is multiplied with, 0 for rows without a say; [R, 1] where all tasks share them."""
    loss: Loss = "hinge"
    bias: Bias = "penalised"
    intercept_scaling: float = 1.0

    @property
    def shape(self) -> tuple[int, int, int]:
        """R, K, V."""
        return (*self.signs_RK.shape, self.members_RV.shape[1])

    def groups(self, width: int) -> list[slice]:
        """Tasks that are solved together: so many that rows x problems is at most `width`."""
        rows, tasks, variants = self.shape
        size = max(1, width // (rows * variants))
        return [slice(start, min(start + size, tasks)) for start in range(0, tasks, size)]

    def tasks(self, chosen: slice | np.ndarray) -> "Problems":
        """Some of the tasks, in all their variants; their signs are an array."""
        weights = self.weights_RK if self.weights_RK.shape[1] == 1 else self.weights_RK[:, chosen]
        return Problems(
            self.signs_RK[:, chosen], self.members_RV, weights, self.loss, self.bias, self.intercept_scaling
        )

    def shares(self) -> np.ndarray:
        """What C is multiplied with: float64 [K, V, R], 0 for rows that are no part; [1, V, R] where tasks share it."""
        is_part_KR = self.signs_RK[:, :].T != 0
        weights_KR = self.weights_RK.T if is_part_KR.all() else self.weights_RK.T * is_part_KR
        return weights_KR[:, None] * np.ascontiguousarray(self.members_RV.T)


@dataclass(frozen=True, eq=False)
class Solution:
    """All problems solved at one C."""

    C: float
    decisions: Callable[[np.ndarray, int], np.ndarray]
    """w·x + b [H, K] of some rows, by number, fitted to or not, in a variant: float32 or float64."""
    gap_KV: np.ndarray
    """(primal − dual) / primal on all rows: the certificate. In float64 for the whole; for folds the decision values in
    it may come from float32 products."""
    model: Callable[[], tuple[np.ndarray, np.ndarray]]
    """w [D, K] and b [K] of the last variant, the whole: float64."""


def relative_gap(primal: np.ndarray, dual: np.ndarray) -> np.ndarray:
    """(primal − dual) / primal, 0 where nothing is lost (no rows); infinite where either is no number."""
    difference = np.maximum(primal - dual, 0)
    gap = np.divide(difference, primal, out=np.zeros_like(difference), where=primal > 0)
    return np.where(np.isfinite(primal) & np.isfinite(dual), gap, np.inf)


def balance(beta: np.ndarray, axis: int) -> None:
    """Scale down the heavier of the positive and the negative side, along an axis, in place: Σ β = 0."""
    positive, negative = (np.maximum(side, 0).sum(axis=axis, keepdims=True) for side in (beta, -beta))
    least = np.minimum(positive, negative)
    factors = [np.divide(least, side, out=np.zeros_like(least), where=side > 0) for side in (positive, negative)]
    beta *= np.where(beta > 0, *factors)
