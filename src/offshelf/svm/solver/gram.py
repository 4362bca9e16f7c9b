"""The Gram matrix of all training rows: shared by all classes, folds and values of C."""

from functools import cached_property

import numpy as np

from offshelf.svm.solver.box_qp import submatrix
from offshelf.svm.solver.centred_kernel import CentredKernel
from offshelf.svm.solver.problem import Bias
from offshelf.svm.solver.product import product, symmetric_product


class Gram(CentredKernel):
    """The matrix K, computed on first use."""

    def __init__(
        self, rows_RD: np.ndarray, bias: Bias, intercept_scaling: float = 1.0, dtype: type[np.floating] = np.float32
    ) -> None:
        """Rows are float32 or float64; `dtype` is that of the products."""
        super().__init__(rows_RD, bias, intercept_scaling)
        self.dtype = dtype
        self.has_bias_terms = self.has_free_bias

    @property
    def nbytes(self) -> int:
        """Memory in bytes, with all products."""
        return self.centred_RD.nbytes + len(self.centred_RD) ** 2 * np.dtype(self.dtype).itemsize

    @cached_property
    def products_RR(self) -> np.ndarray:  # noqa: N802 - a matrix
        """Z, or after `add_bias_terms` all of K except κ."""
        rows = self.centred_RD.astype(self.dtype, copy=False)
        return symmetric_product(rows)

    def add_bias_terms(self) -> None:
        """Add u_i + u_j to the products."""
        # In place: a little less exact than to add them to decision values, but done once.
        if not self.has_bias_terms:
            shift = self.shift_R.astype(self.products_RR.dtype)
            self.products_RR += shift
            self.products_RR += shift[:, None]
            self.has_bias_terms = True

    def submatrix(self, rows_M: np.ndarray) -> np.ndarray:
        """Return the products of some rows, with bias terms: float32 [M, M], read-only."""
        return submatrix(self.products_RR, rows_M)

    def decision_values(self, beta_PR: np.ndarray) -> np.ndarray:
        """Return K β from float32 products: float64 [P, R]."""
        decisions = product(beta_PR.astype(self.products_RR.dtype), self.products_RR).astype(np.float64)
        decisions += self.kappa * beta_PR.sum(axis=1, keepdims=True)
        return decisions
