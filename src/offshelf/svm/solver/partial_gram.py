"""Inner products of the training rows that are asked for."""

import numpy as np

from offshelf.svm.native import gather
from offshelf.svm.solver.centred import Centred, strips
from offshelf.svm.solver.problem import Bias

TURNS, FEW_TURNS, FEW_ROWS = 200, 16, 3000
"""Bursts of greedy pairs: among few rows a burst is cheap."""
HELD = 1 << 25
"""Values of which float64 copies are held: 268 MB."""
KEPT = 2 << 30
"""Bytes of products kept for later."""

_NOTHING = np.empty(0, np.int64), np.empty((0, 0), np.float32)


class PartialGram(Centred):
    """For more rows than a matrix can hold, or few problems: products of the rows that a task asks for, kept for it.

    Centred rows are held in float32. For exact products they are held in float64 too where that takes little memory;
    else the rows as given are centred again, strip by strip.
    """

    most, near = 0.9, 0.01
    many = 10_000
    rounds, patience = 30, 12
    together = 8

    def __init__(self, rows_RD: np.ndarray, bias: Bias, intercept_scaling: float = 1.0) -> None:
        super().__init__(rows_RD, bias, intercept_scaling)
        diagonal_R = np.einsum("rd,rd->r", self.centred_RD, self.centred_RD) + 2 * self.shift_R + self.kappa
        self.kernel = (self.centred_RD, self.shift_R, self.kappa, diagonal_R)
        """What `sweeps` need."""
        self._kept: dict[int, tuple[np.ndarray, np.ndarray]] = {}
        """Row numbers and their products, by task."""

    def _centre(self, rows_RD: np.ndarray) -> float:
        self._given_RD, self._exact_RD, square = rows_RD, None, 0.0
        if rows_RD.size <= HELD:
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

    def _exact(self, strip: slice) -> np.ndarray:
        if self._exact_RD is not None:
            return self._exact_RD[strip]
        centred: np.ndarray = self._given_RD[strip] / self.scale - self.mean_D
        return centred

    def absorb(self) -> None:
        """Each product has its u_i + u_j from the start."""

    def reach(self, task: int, rows_M: np.ndarray) -> None:
        """See Gram."""
        known, kept = self._kept.get(task, _NOTHING)
        new = np.setdiff1d(rows_M, known)
        if not len(new):
            return
        if len(known) + len(new) > self.many:
            (known, kept), new = _NOTHING, rows_M
        before, rows = len(known), np.concatenate([known, new])
        fresh, shift = self.centred_RD[new], self.shift_R.astype(np.float32)
        products = np.empty((len(rows), len(rows)), np.float32)
        products[:before, :before] = kept
        products[before:, before:] = fresh @ fresh.T  # NumPy sees that half of it is enough
        products[before:, :before] = fresh @ self.centred_RD[known].T
        products[before:] += shift[rows]
        products[before:] += shift[new, None]
        products[:before, before:] = products[before:, :before].T
        self._kept[task] = rows, products

    def turns(self, rows: int) -> int:
        """See Gram. The primal solver ends what so few do not."""
        return TURNS if rows <= FEW_ROWS else FEW_TURNS

    def trim(self) -> None:
        """See Gram."""
        if sum(products.nbytes for _, products in self._kept.values()) > KEPT:
            self._kept.clear()

    def square(self, task: int, rows_M: np.ndarray) -> np.ndarray:
        """See Gram; of rows that are at hand."""
        known, products = self._kept[task]
        place = np.empty(len(self.centred_RD), np.int64)
        place[known] = np.arange(len(known))
        return gather(products, place[rows_M])

    def decide(self, beta_PR: np.ndarray) -> np.ndarray:
        """See Gram; by way of the weights, in float32."""
        single = beta_PR.astype(np.float32)
        return self._shifted(self._through(self._combined(single)).astype(np.float64), beta_PR)
