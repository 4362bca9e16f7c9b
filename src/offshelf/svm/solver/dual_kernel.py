"""What the dual solver asks of a kernel matrix, whether it is held as a whole (`Gram`) or in parts (`PartialGram`)."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from offshelf.svm.solver.coordinate_descent import Kernel


@dataclass(frozen=True)
class SearchPolicy:
    """How the rows that matter are searched, as the cost of products of rows suggests."""

    margin_band: float
    """Rows at a bound whose margin is this close to 1, in standard deviations of the decision values, are taken in."""
    all_rows_share: float
    """From this share of the rows on, all of them are taken in."""
    max_rows: int
    """Most rows that are taken in."""
    max_rounds: int
    """Most times that rows are chosen."""
    patience: int
    """Rounds without a smaller gap before float32 products are replaced by float64 ones, or a problem is given up."""
    max_tasks: int
    """Most tasks solved at the same time."""


class DualKernel(Protocol):
    """A kernel matrix K + κ of the training rows, in units of their mean squared length."""

    policy: SearchPolicy
    scale: float
    kappa: float
    has_free_bias: bool
    bias_share: float

    @property
    def descent_kernel(self) -> Kernel | None:
        """The rows for coordinate descent, before any products; None if that is not the method here."""

    def add_bias_terms(self) -> None:
        """Add u_i + u_j to the products."""

    def ensure_rows(self, task: int, rows_M: np.ndarray) -> None:
        """Compute the products of some rows of a task that are not held yet; `submatrix` needs them."""

    def submatrix(self, task: int, rows_M: np.ndarray) -> np.ndarray:
        """Return the products of some rows, with bias terms: float32 [M, M], read-only."""

    def evict(self) -> None:
        """Drop products that can be computed again, if they take much memory."""

    def smo_rounds(self, rows: int) -> int:
        """Return the most rounds of SMO for a number of rows."""

    def decision_values(self, beta_PR: np.ndarray) -> np.ndarray:
        """Return K β from float32 products: float64 [P, R]."""

    def exact_decision_values(self, beta_PR: np.ndarray) -> np.ndarray:
        """Return K β from float64 products: [P, R]."""

    def model(self, beta_PR: np.ndarray, offset_P: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the weights [D, P] and biases [P] of the rows as given: float64."""
