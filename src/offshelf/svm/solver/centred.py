"""Training rows, centred, for inner products."""

import numpy as np

from offshelf.svm.solver.problem import Bias

ROUNDING = 1e-13
"""Rows that differ by a smaller share of their length are equal."""
STRIP = 1 << 8
"""Rows multiplied at a time."""
UNBOUNDED = 1e8
"""A penalised bias whose share of the kernel is larger than this is as good as free."""


class Centred:
    """K = X X' + s², as K_ij = Z_ij + u_i + u_j + κ, with Z of the centred rows.

    Deep features are non-negative and share a large mean, so that their plain inner products differ in the last digits
    of float32 only; those of the centred rows do not. u and κ are float64. All is in units in which a centred row has
    length 1 on average: C̃ = C σ² and β̃ = β σ² for rows of length σ. With a free bias Σ β = 0, and only Z is left.
    """

    def __init__(self, rows_RD: np.ndarray, bias: Bias, intercept_scaling: float = 1.0) -> None:
        """Rows are float32 or float64."""
        self.mean_D = rows_RD.mean(axis=0, dtype=np.float64)
        self.scale = self._centre(rows_RD) or 1.0
        self.mean_D /= self.scale
        share = 0.0 if bias == "none" else (intercept_scaling / self.scale) ** 2
        self.is_free = bias == "free" or share > UNBOUNDED
        self.bias_share = np.inf if bias == "free" else share
        """s² in these units: what b² / 2 is divided by."""
        self.shift_R = np.zeros(len(rows_RD)) if self.is_free else self._through(self.mean_D[None])[0]
        self.kappa = 0.0 if self.is_free else float(self.mean_D @ self.mean_D) + share

    def _centre(self, rows_RD: np.ndarray) -> float:
        """Keep the centred rows at length 1. Returns the length they had."""
        centred = rows_RD - self.mean_D
        scale = self._scale(float(np.einsum("rd,rd->", centred, centred)) / len(centred))
        self.centred_RD = np.divide(centred, scale or 1.0, out=centred)
        return scale

    def _scale(self, square: float) -> float:
        """From the mean squared length of centred rows; 0 where all rows are 0."""
        spread, level = float(np.sqrt(square)), float(np.linalg.norm(self.mean_D))
        return spread if spread > ROUNDING * level else level

    def decide_exactly(self, beta_PR: np.ndarray) -> np.ndarray:
        """K β in float64, from the rows themselves: [P, R]."""
        return self._shifted(self._through(self._combined(beta_PR)), beta_PR)

    # In strips of rows, which stay in the cache; few columns on the left take BLAS half the time that they take on the
    # right.

    def _combined(self, beta_PR: np.ndarray) -> np.ndarray:
        """Σ β x of the centred rows in the type of β, [P, D]."""
        weights_PD = np.zeros((len(beta_PR), len(self.mean_D)), beta_PR.dtype)
        for strip in strips(beta_PR.shape[1]):
            weights_PD += beta_PR[:, strip] @ self._of_type(beta_PR.dtype, strip)
        return weights_PD

    def _through(self, weights_PD: np.ndarray) -> np.ndarray:
        """Products of w and the centred rows, in the type of w: [P, R]."""
        out_PR = np.empty((len(weights_PD), len(self.centred_RD)), weights_PD.dtype)
        for strip in strips(len(self.centred_RD)):
            out_PR[:, strip] = weights_PD @ self._of_type(weights_PD.dtype, strip).T
        return out_PR

    def _of_type(self, dtype: np.dtype, strip: slice) -> np.ndarray:
        """Some centred rows: float64, or what is held of them."""
        return self._exact(strip) if dtype == np.float64 else self.centred_RD[strip]

    def _exact(self, strip: slice) -> np.ndarray:
        return self.centred_RD[strip]

    def _shifted(self, decisions_PR: np.ndarray, beta_PR: np.ndarray) -> np.ndarray:
        """With what the mean and the bias add to Z β."""
        if self.is_free:
            return decisions_PR
        total_P = beta_PR.sum(axis=1)
        constant_P = beta_PR @ self.shift_R + self.kappa * total_P
        return decisions_PR + total_P[:, None] * self.shift_R + constant_P[:, None]

    def model(self, beta_PR: np.ndarray, offset_P: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Weights [D, P] and biases [P] for rows as given, from β and a free bias for centred rows: float64."""
        return self.uncentre(self._combined(beta_PR), beta_PR.sum(axis=1), offset_P)

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


def strips(rows: int) -> list[slice]:
    """Parts of the rows that stay in the cache."""
    return [slice(start, min(start + STRIP, rows)) for start in range(0, rows, STRIP)]
