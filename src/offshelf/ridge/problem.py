"""The mathematics: ridge regressions on the same rows, and what their solvers share.

Axes: R rows, D features, V variants (the folds, and last all rows), A values of the penalty, T held-out rows.

    min  Σ_i c_i (y_i − x_i·w − b)² + α|w|²

The intercept b is free, so that rows and targets may be centred by their weighted means: with the rows
A_i = √c_i (x_i − x̄) and targets t_i = √c_i (y_i − ȳ), w = (A'A + αI)⁻¹ A't = A'(AA' + αI)⁻¹ t, and b = ȳ − x̄·w
(Hastie, Tibshirani, Friedman, The Elements of Statistical Learning, section 3.4.1). An eigendecomposition of AA', or of
A'A, gives the solutions for all α.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

BLOCK_VALUES = 1 << 22
"""Numbers of a block of rows, which is read and converted to float64 at once: 32 MiB."""

Model = tuple[np.ndarray, float]
"""Weights float64 [D], and the intercept."""


@dataclass(frozen=True, eq=False)
class Problem:
    """Rows, targets and weights of the regressions."""

    X: np.ndarray
    """float [R, D]; may be memory-mapped, and is read in blocks."""
    y: np.ndarray
    """float64 [R]."""
    weights: np.ndarray
    """float64 [R]; positive."""
    members_RV: np.ndarray
    """bool: the rows that each variant is fitted to; all in the last one."""

    @cached_property
    def centre(self) -> np.ndarray:
        """Weighted mean of all rows, float64."""
        total_D = np.zeros(self.X.shape[1])
        for part in self.parts:
            total_D += self.weights[part] @ self.X[part].astype(np.float64)
        return total_D / self.weights.sum()

    @cached_property
    def mean(self) -> float:
        """Weighted mean of all targets."""
        return float(np.average(self.y, weights=self.weights))

    @property
    def targets(self) -> np.ndarray:
        """Centred targets, multiplied by the roots of the weights: float64 [R]."""
        found: np.ndarray = np.sqrt(self.weights) * (self.y - self.mean)
        return found

    @property
    def parts(self) -> list[slice]:
        """Blocks of rows."""
        rows, dims = self.X.shape
        height = max(1, BLOCK_VALUES // max(1, dims))
        return [slice(start, min(start + height, rows)) for start in range(0, rows, height)]

    def block(self, part: slice) -> np.ndarray:
        """Return centred rows, multiplied by the roots of their weights: float64 [r, D]."""
        rows: np.ndarray = self.X[part].astype(np.float64)
        rows -= self.centre
        rows *= np.sqrt(self.weights[part])[:, None]
        return rows

    def blocks(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield all rows, block by block."""
        for part in self.parts:
            yield part, self.block(part)


class Factorised(Protocol):
    """A problem after its factorisation, which answers for any penalty."""

    def predictions(self, tests: Sequence[np.ndarray], alphas: Sequence[float]) -> list[np.ndarray]:
        """Return each fold's predictions for its held-out rows, given by number: float64 [A, T] each."""

    def model(self, alpha: float) -> Model:
        """Return the fit to all rows."""
