"""The losses of a batch of problems and their derivatives, for a block of rows at a time.

z and u are scores [B, G, r] of some problems for the rows of a block. Differences from 1 of probabilities close to 1
are computed from the other probabilities, so that residuals keep all their digits where C is large.
"""

from typing import Protocol

import numpy as np

from offshelf.logistic.solver.problem import Problems

FLAT = 1e-12
"""Curvature of a direction, relative to the largest, that is a rounding error: that of a shift of all classes."""


class Likelihood(Protocol):
    """The loss of a kind of problems."""

    weights_BR: np.ndarray

    def residuals(self, z: np.ndarray, problems: np.ndarray, part: slice) -> tuple[np.ndarray, np.ndarray]:
        """Return c (y − p), the negative derivative of the losses, [B, G, r], and the losses, [B, r], without c."""

    def curvature(self, z: np.ndarray, u: np.ndarray, problems: np.ndarray, part: slice) -> np.ndarray:
        """Return the second derivative of the losses times u: [B, G, r]."""

    def shift_curvature(self, z: np.ndarray, problems: np.ndarray, part: slice) -> np.ndarray:
        """Return the second derivatives of the sums of losses with respect to a shift of each column: [B, G, G]."""


class Multinomial:
    """Softmax and cross-entropy; all problems have the same labels."""

    def __init__(self, numbers_R: np.ndarray, weights_BR: np.ndarray) -> None:
        self.numbers_R, self.weights_BR = numbers_R, weights_BR

    def residuals(self, z: np.ndarray, problems: np.ndarray, part: slice) -> tuple[np.ndarray, np.ndarray]:
        """See Likelihood."""
        numbers, weights = self.numbers_R[part], self.weights_BR[problems, part]
        rows = np.arange(len(numbers))
        top = z.max(axis=1)
        shares = np.exp(z - top[:, None])
        own = z[:, numbers, rows] - top
        shares[:, numbers, rows] = 0
        others = shares.sum(axis=1)
        total = others + np.exp(own)
        losses = np.where(own == 0, np.log1p(others), np.log(total) - own)
        factors = weights / total
        shares *= -factors[:, None]
        shares[:, numbers, rows] = factors * others
        return shares, losses

    def curvature(self, z: np.ndarray, u: np.ndarray, problems: np.ndarray, part: slice) -> np.ndarray:
        """See Likelihood."""
        numbers, weights = self.numbers_R[part], self.weights_BR[problems, part]
        shares = np.exp(z - z.max(axis=1, keepdims=True))
        relative = u - u[:, numbers, np.arange(len(numbers))][:, None]  # a shift of all classes has no curvature
        total = shares.sum(axis=1)
        relative -= (np.einsum("bgr,bgr->br", shares, relative) / total)[:, None]
        relative *= shares
        relative *= (weights / total)[:, None]
        return relative

    def shift_curvature(self, z: np.ndarray, problems: np.ndarray, part: slice) -> np.ndarray:
        """See Likelihood."""
        shares = np.exp(z - z.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        weighted = shares * self.weights_BR[problems, part][:, None]
        return weighted.sum(axis=2)[..., None] * np.eye(z.shape[1], dtype=z.dtype) - weighted @ shares.swapaxes(1, 2)


class Binary:
    """Sigmoid and log loss, G = 1; each task has its own labels."""

    def __init__(self, signs_TR: np.ndarray, variants: int, weights_BR: np.ndarray) -> None:
        self.signs_TR, self.variants, self.weights_BR = signs_TR, variants, weights_BR

    def residuals(self, z: np.ndarray, problems: np.ndarray, part: slice) -> tuple[np.ndarray, np.ndarray]:
        """See Likelihood."""
        signs = self.signs_TR[problems // self.variants, part].astype(z.dtype)
        margins = signs * z[:, 0]
        small = np.exp(-np.abs(margins))
        losses = _log1p(small) + np.maximum(-margins, 0)
        surprise = np.where(margins > 0, small, 1) / (1 + small)
        return (signs * surprise * self.weights_BR[problems, part])[:, None], losses

    def curvature(self, z: np.ndarray, u: np.ndarray, problems: np.ndarray, part: slice) -> np.ndarray:
        """See Likelihood."""
        small = np.exp(-np.abs(z))
        return u * (small / np.square(1 + small) * self.weights_BR[problems, part][:, None])

    def shift_curvature(self, z: np.ndarray, problems: np.ndarray, part: slice) -> np.ndarray:
        """See Likelihood."""
        return self.curvature(z, np.ones_like(z), problems, part).sum(axis=2, keepdims=True)


def shift_steps(curvature: np.ndarray, falls: np.ndarray) -> np.ndarray:
    """Return Newton steps [B, G] of at most 1, from second derivatives [B, G, G] and negative first ones [B, G]."""
    parts = [np.linalg.pinv(each, FLAT, hermitian=True) @ fall for each, fall in zip(curvature, falls, strict=True)]
    return np.stack(parts).clip(-1, 1)


def _log1p(values: np.ndarray) -> np.ndarray:
    """Return log(1 + v), in a tenth of the time of NumPy's log1p (Goldberg, ACM Computing Surveys 1991, theorem 4)."""
    more = 1 + values
    return values * np.divide(np.log(more), more - 1, out=np.ones_like(values), where=more > 1)


def likelihood_of(problems: Problems, weights_BR: np.ndarray) -> Likelihood:
    """Return the likelihood of all problems, in the type of the weights."""
    if problems.labels.ndim == 1:
        return Multinomial(problems.labels, weights_BR)
    return Binary(np.ascontiguousarray(problems.labels.T), problems.members_RV.shape[1], weights_BR)
