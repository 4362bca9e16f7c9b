"""The linear kernel of centred training rows."""

from collections.abc import Iterator

import numpy as np

from offshelf.svm.monitor import check_stop
from offshelf.svm.solver.problem import Bias

ROUNDING = 1e-13
"""Rows that differ by less than this share of their length are considered equal."""
STRIP_ROWS = 1 << 8
"""Rows multiplied at a time."""
FREE_BIAS_SHARE = 1e8
"""A penalised bias whose share of the kernel is larger is treated as free."""


class CentredKernel:
    """K = X X' + s², computed as K_ij = Z_ij + u_i + u_j + κ, with the products Z of the centred rows.

    Non-negative features, such as those of rectified layers, share a large mean: their plain inner products differ in
    the last digits of float32 only, those of centred rows do not. u and κ are float64. The unit of length is the root
    mean squared length σ of a centred row: C̃ = C σ² and β̃ = β σ². With a free bias Σ β = 0, and only Z matters.
    """

    def __init__(self, rows_RD: np.ndarray, bias: Bias, intercept_scaling: float = 1.0) -> None:
        """Rows are float32 or float64."""
        self.mean_D = rows_RD.mean(axis=0, dtype=np.float64)
        self.scale = self._centre(rows_RD) or 1.0
        self.mean_D /= self.scale
        share = 0.0 if bias == "none" else (intercept_scaling / self.scale) ** 2
        self.has_free_bias = bias == "free" or share > FREE_BIAS_SHARE
        self.bias_share = np.inf if bias == "free" else share
        """s² in these units, the divisor of b² / 2."""
        self.shift_R = np.zeros(len(rows_RD)) if self.has_free_bias else self._through(self.mean_D[None])[0]
        self.kappa = 0.0 if self.has_free_bias else float(self.mean_D @ self.mean_D) + share

    def _centre(self, rows_RD: np.ndarray) -> float:
        """Set the centred rows, at length 1; return their length before that."""
        centred = rows_RD - self.mean_D
        scale = self._scale(float(np.einsum("rd,rd->", centred, centred)) / len(centred))
        self.centred_RD = np.divide(centred, scale or 1.0, out=centred)
        return scale

    def _scale(self, square: float) -> float:
        """Return the unit of length from the mean squared length of centred rows; 0 if all rows are 0."""
        spread, level = float(np.sqrt(square)), float(np.linalg.norm(self.mean_D))
        return spread if spread > ROUNDING * level else level

    def exact_decision_values(self, beta_PR: np.ndarray) -> np.ndarray:
        """Return K β in float64, from the rows themselves: [P, R]."""
        return self._shifted(self._through(self._combined(beta_PR)), beta_PR)

    # Products are computed in strips of rows, which stay in the cache. A matrix of few columns is the left factor,
    # since BLAS takes twice as long with it on the right.

    def _combined(self, beta_PR: np.ndarray) -> np.ndarray:
        """Return Σ β x of the centred rows in the type of β: [P, D]."""
        weights_PD = np.zeros((len(beta_PR), len(self.mean_D)), beta_PR.dtype)
        for strip in strips(beta_PR.shape[1]):
            weights_PD += beta_PR[:, strip] @ self._of_type(beta_PR.dtype, strip)
        return weights_PD

    def _through(self, weights_PD: np.ndarray) -> np.ndarray:
        """Return the products of w and the centred rows in the type of w: [P, R]."""
        out_PR = np.empty((len(weights_PD), len(self.centred_RD)), weights_PD.dtype)
        for strip in strips(len(self.centred_RD)):
            out_PR[:, strip] = weights_PD @ self._of_type(weights_PD.dtype, strip).T
        return out_PR

    def _of_type(self, dtype: np.dtype, strip: slice) -> np.ndarray:
        """Return some centred rows: float64, or as they are held."""
        return self._exact(strip) if dtype == np.float64 else self.centred_RD[strip]

    def _exact(self, strip: slice) -> np.ndarray:
        return self.centred_RD[strip]

    def _shifted(self, decisions_PR: np.ndarray, beta_PR: np.ndarray) -> np.ndarray:
        """Return K β from Z β: add the terms of the mean and the bias."""
        if self.has_free_bias:
            return decisions_PR
        total_P = beta_PR.sum(axis=1)
        constant_P = beta_PR @ self.shift_R + self.kappa * total_P
        return decisions_PR + total_P[:, None] * self.shift_R + constant_P[:, None]

    def model(self, beta_PR: np.ndarray, offset_P: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return weights [D, P] and biases [P] for the rows as given, from β and the bias for centred rows: float64."""
        return self.uncentre(self._combined(beta_PR), beta_PR.sum(axis=1), offset_P)

    def uncentre(
        self, weights_PD: np.ndarray, total_P: np.ndarray, offset_P: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the same from Σ β x of the centred rows, which is overwritten, and Σ β."""
        if not self.has_free_bias:
            weights_PD += np.outer(total_P, self.mean_D)
        weights_PD /= self.scale
        if self.has_free_bias:  # Σ β = 0
            return weights_PD.T, offset_P - weights_PD @ self.mean_D * self.scale
        return weights_PD.T, self.bias_share * total_P


def strips(rows: int) -> Iterator[slice]:
    """Divide a number of rows into parts that stay in the cache.

    Raises:
        StoppedError: between two parts, if the fit is to stop.
    """
    for start in range(0, rows, STRIP_ROWS):
        check_stop()
        yield slice(start, min(start + STRIP_ROWS, rows))
