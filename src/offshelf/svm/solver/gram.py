"""Inner products of all training rows: shared by all classes, folds and values of C."""

from functools import cached_property

import numpy as np

from offshelf.svm.solver.box import square
from offshelf.svm.solver.centred import Centred
from offshelf.svm.solver.problem import Bias

TURNS = 16
"""Bursts of greedy pairs: what takes more is so ill-conditioned that it takes far more."""


class Gram(Centred):
    """The matrix K, made when it is first asked for."""

    most = 0.5
    """From this share of the rows on, `square` is better asked for all, which saves the copy."""
    near = 0.05
    """Rows this close to a margin of 1, in standard deviations of the decision values, may matter."""
    many = 1 << 62
    """Most rows that `square` should be asked for."""
    rounds = 60
    """Times that rows are chosen anew, at most."""
    patience = 4
    """Rounds without a smaller gap before float32 products give way to float64 ones, or the search is given up."""
    together = 1000
    """Most tasks that ask at the same time."""

    def __init__(
        self, rows_RD: np.ndarray, bias: Bias, intercept_scaling: float = 1.0, dtype: type[np.floating] = np.float32
    ) -> None:
        """Rows are float32 or float64; products of the given type."""
        super().__init__(rows_RD, bias, intercept_scaling)
        self.dtype = dtype
        self.is_absorbed = self.is_free

    @property
    def nbytes(self) -> int:
        """Bytes that it takes, with all products."""
        return self.centred_RD.nbytes + len(self.centred_RD) ** 2 * np.dtype(self.dtype).itemsize

    @cached_property
    def products_RR(self) -> np.ndarray:  # noqa: N802 - a matrix
        """Z, or after `absorb` all of K save κ: of the given type."""
        single = self.centred_RD.astype(self.dtype, copy=False)
        products: np.ndarray = single @ single.T
        return products

    def absorb(self) -> None:
        """Add u_i + u_j to Z, in place: a little less exact than to add them to what Z gives, but done once."""
        if not self.is_absorbed:
            shift = self.shift_R.astype(self.products_RR.dtype)
            self.products_RR += shift
            self.products_RR += shift[:, None]
            self.is_absorbed = True

    def reach(self, task: int, rows_M: np.ndarray) -> None:
        """Before `square`: have the products of a task's rows at hand, as those of all rows are."""

    def turns(self, rows: int) -> int:
        """Bursts of greedy pairs among so many rows, at most."""
        return TURNS

    def trim(self) -> None:
        """Give back what can be made again, if it is much."""

    def square(self, task: int, rows_M: np.ndarray) -> np.ndarray:
        """What `absorb` has made, of some rows and the same columns: [M, M]; not a copy where it is all of them."""
        return square(self.products_RR, rows_M)

    def decide(self, beta_PR: np.ndarray) -> np.ndarray:
        """K β by products with what `absorb` has made, in its own type: float64 [P, R]."""
        decisions = (beta_PR.astype(self.products_RR.dtype) @ self.products_RR).astype(np.float64)
        decisions += self.kappa * beta_PR.sum(axis=1, keepdims=True)
        return decisions
