"""Inner products of the training rows: shared by all classes, folds and values of C."""

from functools import cached_property

import numpy as np

from offshelf.classifier.solver.problem import Bias

ROUNDING = 1e-13
"""Rows that differ by a smaller share of their length are equal."""
UNBOUNDED = 1e8
"""A penalised bias whose share of the kernel is larger than this is as good as free."""


class Gram:
    """K = X X' + s², as K_ij = Z_ij + u_i + u_j + κ, with Z of the centred rows.

    Deep features are non-negative and share a large mean, so that their plain inner products differ in the last digits
    of float32 only; those of the centred rows do not. u and κ are float64. All is in units in which a centred row has
    length 1 on average: C̃ = C σ² and β̃ = β σ² for rows of length σ. With a free bias Σ β = 0, and only Z is left.
    """

    most = 0.5
    """From this share of the rows on, `square` is better asked for all, which saves the copy."""

    def __init__(
        self, rows_RD: np.ndarray, bias: Bias, intercept_scaling: float = 1.0, dtype: type[np.floating] = np.float32
    ) -> None:
        """Rows are float32 or float64."""
        mean = rows_RD.mean(axis=0, dtype=np.float64)
        centred = rows_RD - mean
        lengths = np.einsum("rd,rd->r", centred, centred)
        spread, level = float(np.sqrt(lengths.mean())), float(np.linalg.norm(mean))
        self.scale = (spread if spread > ROUNDING * level else level) or 1.0
        self.mean_D, self.centred_RD = mean / self.scale, np.divide(centred, self.scale, out=centred)
        share = 0.0 if bias == "none" else (intercept_scaling / self.scale) ** 2
        self.is_free = bias == "free" or share > UNBOUNDED
        self.bias_share = np.inf if bias == "free" else share
        """s² in these units: what b² / 2 is divided by."""
        self.shift_R = np.zeros(len(rows_RD)) if self.is_free else self.centred_RD @ self.mean_D
        self.kappa = 0.0 if self.is_free else float(self.mean_D @ self.mean_D) + share
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

    def reach(self, rows_M: np.ndarray) -> None:
        """Before `square`: have the products of some rows at hand, as those of all rows are."""

    def square(self, rows_M: np.ndarray) -> np.ndarray:
        """What `absorb` has made, of some rows and the same columns: [M, M]; not a copy where it is all of them."""
        from offshelf.classifier.solver.box import square

        return square(self.products_RR, rows_M)

    def decide(self, beta_RP: np.ndarray) -> np.ndarray:
        """K β by products with what `absorb` has made, in its own type: float64 [R, P]."""
        decisions = (self.products_RR @ beta_RP.astype(self.products_RR.dtype)).astype(np.float64)
        return decisions + self.kappa * beta_RP.sum(axis=0)

    def decide_single(self, beta_RP: np.ndarray, rows_R: np.ndarray) -> np.ndarray:
        """K β of some rows, chosen by a mask, all in float32: [M, P]."""
        decisions = self.products_RR[rows_R].astype(np.float32) @ beta_RP
        if not self.is_free:
            total, shift = beta_RP.sum(axis=0), self.shift_R.astype(np.float32)
            decisions += shift[rows_R, None] * total + (shift @ beta_RP + np.float32(self.kappa) * total)
        return decisions

    def decide_exactly(self, beta_RP: np.ndarray) -> np.ndarray:
        """K β in float64, from the rows themselves: [R, P]."""
        return self._shifted(_through_weights(self.centred_RD, beta_RP), beta_RP)

    def _shifted(self, decisions_RP: np.ndarray, beta_RP: np.ndarray) -> np.ndarray:
        """With what the mean and the bias add to Z β."""
        if self.is_free:
            return decisions_RP
        total = beta_RP.sum(axis=0)
        return decisions_RP + self.shift_R[:, None] * total + (self.shift_R @ beta_RP + self.kappa * total)

    def model(self, beta_RP: np.ndarray, offset_P: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Weights [D, P] and biases [P] for rows as given, from β and a free bias for centred rows: float64."""
        return self.uncentre(beta_RP.T @ self.centred_RD, beta_RP.sum(axis=0), offset_P)

    def uncentre(
        self, weights_PD: np.ndarray, total_P: np.ndarray, offset_P: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The same from the sum of β times the centred rows, which is used up, and Σ β."""
        if not self.is_free:
            weights_PD += np.outer(total_P, self.mean_D)
        weights_PD /= self.scale
        if self.is_free:  # Σ β = 0
            return weights_PD.T, offset_P - weights_PD @ self.mean_D * self.scale
        return weights_PD.T, self.bias_share * total_P


class PartialGram(Gram):
    """For few problems, which need few rows of it: products are computed for the rows that are asked for, and kept."""

    most = 0.9

    def __init__(self, rows_RD: np.ndarray, bias: Bias, intercept_scaling: float = 1.0) -> None:
        super().__init__(rows_RD, bias, intercept_scaling)
        self.single_RD = self.centred_RD.astype(np.float32, copy=False)
        self._known = np.empty(0, np.int64)
        self._products = np.empty((0, 0), np.float32)

    def absorb(self) -> None:
        """Each product has its u_i + u_j from the start."""

    def reach(self, rows_M: np.ndarray) -> None:
        """See Gram."""
        new = np.setdiff1d(rows_M, self._known)
        if not len(new):
            return
        before, rows = len(self._known), np.concatenate([self._known, new])
        shift = self.shift_R.astype(np.float32)
        added = self.single_RD[new] @ self.single_RD[rows].T + shift[rows] + shift[new, None]
        products = np.empty((len(rows), len(rows)), np.float32)
        products[:before, :before], products[before:] = self._products, added
        products[:before, before:] = added[:, :before].T
        self._known, self._products = rows, products

    def square(self, rows_M: np.ndarray) -> np.ndarray:
        """See Gram; of rows that are at hand."""
        from offshelf.classifier.solver.box import gathered

        place = np.empty(len(self.centred_RD), np.int64)
        place[self._known] = np.arange(len(self._known))
        return gathered(self._products, place[rows_M])

    def decide(self, beta_RP: np.ndarray) -> np.ndarray:
        """See Gram; by way of the weights, in float32."""
        decisions = _through_weights(self.single_RD, beta_RP.astype(np.float32))
        return self._shifted(decisions.astype(np.float64), beta_RP)

    def guess(self, signs_R: np.ndarray, upper_R: np.ndarray, e_R: np.ndarray, tol: float) -> np.ndarray:
        """A β to start from, float64 [R], by sweeps of coordinate descent: often all that is needed."""
        from offshelf.classifier.solver.sweeps import descend

        return descend((self.single_RD, self.shift_R, self.kappa), (signs_R, upper_R, e_R), tol)


def _through_weights(rows_RD: np.ndarray, beta_RP: np.ndarray) -> np.ndarray:
    """X X'β; few columns on the left of the products take BLAS half the time that they take on the right."""
    return ((beta_RP.T @ rows_RD) @ rows_RD.T).T
