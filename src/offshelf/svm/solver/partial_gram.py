"""Gram matrices of some of the training rows, computed as tasks need them."""

import numpy as np
from typing_extensions import override

from offshelf.svm.native import gather_submatrix
from offshelf.svm.solver.centred_kernel import CentredKernel, strips
from offshelf.svm.solver.coordinate_descent import Kernel
from offshelf.svm.solver.dual_kernel import DualKernel, SearchPolicy
from offshelf.svm.solver.problem import Bias
from offshelf.svm.solver.product import product, symmetric_product

SMALL_SMO_ROUNDS, SMO_ROUNDS, SMALL_ROWS = 200, 16, 3000
"""Most rounds of SMO for at most so many rows, where a round is cheap, and for more."""
EXACT_VALUES = 1 << 25
"""Most values of which a float64 copy is held: 268 MB."""
CACHE_BYTES = 2 << 30
"""Memory for products that are held for later."""

_NOTHING = np.empty(0, np.int64), np.empty((0, 0), np.float32)


class PartialGram(CentredKernel, DualKernel):
    """The products of the rows that a task asks for, held for the task.

    For more rows than a matrix can hold, or few problems. Centred rows are float32. For exact products a float64 copy
    is held if it takes little memory; otherwise the rows as given are centred again, strip by strip.
    """

    policy = SearchPolicy(
        margin_band=0.01, all_rows_share=0.9, max_rows=10_000, max_rounds=30, patience=12, max_tasks=8
    )

    def __init__(self, rows_RD: np.ndarray, bias: Bias, intercept_scaling: float = 1.0) -> None:
        super().__init__(rows_RD, bias, intercept_scaling)
        diagonal_R = np.einsum("rd,rd->r", self.centred_RD, self.centred_RD) + 2 * self.shift_R + self.kappa
        self._kernel = (self.centred_RD, self.shift_R, self.kappa, diagonal_R)
        self._held: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        """Row numbers and their products, by task."""

    @property
    @override
    def descent_kernel(self) -> Kernel | None:
        # Single coordinates cannot move under the constraint Σ β = 0 of a free bias.
        return None if self.has_free_bias else self._kernel

    @override
    def _centre(self, rows_RD: np.ndarray) -> float:
        self._given_RD, self._exact_RD, square = rows_RD, None, 0.0
        if rows_RD.size <= EXACT_VALUES:
            scale = super()._centre(rows_RD)
            self._exact_RD, self.centred_RD = self.centred_RD, self.centred_RD.astype(np.float32)
            return scale
        for strip in strips(len(rows_RD)):
            centred = rows_RD[strip] - self.mean_D
            square += float(np.einsum("rd,rd->", centred, centred)) / len(rows_RD)
        scale = self._scale(square)
        self.centred_RD = np.empty(rows_RD.shape, np.float32)
        for strip in strips(len(rows_RD)):
            self.centred_RD[strip] = (rows_RD[strip] - self.mean_D) / (scale or 1.0)
        return scale

    @override
    def _exact(self, strip: slice) -> np.ndarray:
        if self._exact_RD is not None:
            return self._exact_RD[strip]
        centred: np.ndarray = self._given_RD[strip] / self.scale - self.mean_D
        return centred

    @override
    def add_bias_terms(self) -> None:
        pass  # each product has them from the start

    @override
    def ensure_rows(self, task: int, rows_M: np.ndarray) -> None:
        known, held = self._held.get(task, _NOTHING)
        new = np.setdiff1d(rows_M, known)
        if not len(new):
            return
        if len(known) + len(new) > self.policy.max_rows:
            (known, held), new = _NOTHING, rows_M
        before, rows = len(known), np.concatenate([known, new])
        fresh, shift = self.centred_RD[new], self.shift_R.astype(np.float32)
        products = np.empty((len(rows), len(rows)), np.float32)
        products[:before, :before] = held
        products[before:, before:] = symmetric_product(fresh)
        products[before:, :before] = product(fresh, self.centred_RD[known].T)
        products[before:] += shift[rows]
        products[before:] += shift[new, None]
        products[:before, before:] = products[before:, :before].T
        self._held[task] = rows, products

    @override
    def smo_rounds(self, rows: int) -> int:
        return SMALL_SMO_ROUNDS if rows <= SMALL_ROWS else SMO_ROUNDS  # the primal solver finishes the rest

    @override
    def evict(self) -> None:
        if sum(products.nbytes for _, products in self._held.values()) > CACHE_BYTES:
            self._held.clear()

    @override
    def submatrix(self, task: int, rows_M: np.ndarray) -> np.ndarray:
        known, products = self._held[task]
        position = np.empty(len(self.centred_RD), np.int64)
        position[known] = np.arange(len(known))
        return gather_submatrix(products, position[rows_M])

    @override
    def decision_values(self, beta_PR: np.ndarray) -> np.ndarray:
        single = beta_PR.astype(np.float32)
        return self._shifted(self._through(self._combined(single)).astype(np.float64), beta_PR)
