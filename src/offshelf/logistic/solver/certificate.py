"""The duality gap of given models, computed in float64 from the rows as they were given.

With a free bias a lower bound needs Σ_i A_i = 0. The distributions q_i are therefore mixed with one distribution t for
all rows, (1 − ε) q_i + ε t, where t is such that the sums vanish, and ε as small as it can be. The entropy of a mixture
is no less than the mixture of the entropies. Where ε is too large for the tolerance, a Newton step is taken on the
biases.
"""

from dataclasses import dataclass, replace

import numpy as np

from offshelf.logistic.solver.likelihood import likelihood_of
from offshelf.logistic.solver.problem import ABSENT, Problems
from offshelf.logistic.solver.rows import Totals, exact_sums
from offshelf.svm.solver.threads import one_blas_thread

ROUNDS = 5
"""Most passes, with a Newton step on free biases between them."""
FINE = 1e-5
"""Gap of a given model that is not worth a better bound."""

Models = tuple[np.ndarray, np.ndarray]
"""Weights float64 [B, G, D], and biases float64 [B, G]."""


@dataclass(frozen=True, eq=False)
class Certified:
    """Models and their certificates."""

    weights: np.ndarray
    """float64 [B, G, D]."""
    biases: np.ndarray
    """float64 [B, G]."""
    gap: np.ndarray
    """Relative duality gaps [B]."""


def certify(rows_RD: np.ndarray, problems: Problems, models: Models, C: float, tol: float) -> Certified:
    """Return the relative duality gaps of the full fits of all tasks, with free biases improved where that is needed.

    Args:
        rows_RD: The rows as they were given.
        problems: Their labels and weights; only the last variant is looked at.
        models: Weights and biases of the B tasks.
        C: Factor of the losses.
        tol: The gap at which biases are left as they are.
    """
    sums, weights, biases = _Sums(rows_RD, problems), models[0], models[1].copy()
    best = np.full(len(biases), -np.inf)
    for _ in range(ROUNDS):
        primal, dual, step = sums.bounds(weights, biases, C)
        best = np.maximum(best, dual)
        gap = _relative(primal, best)
        if step is None or (gap <= tol).all():
            break
        biases += np.where((gap > tol)[:, None], step, 0)
    return Certified(weights, biases, gap)


def relative_gap(rows_RD: np.ndarray, problems: Problems, models: Models, C: float) -> float:
    """Return the largest relative duality gap of given models, which need not be optimal in anything.

    The lower bound is that of the models with better free biases, since theirs would make it needlessly loose.
    """
    with one_blas_thread():
        sums, (weights, biases) = _Sums(rows_RD, problems), models
        primal, best, step = sums.bounds(weights, biases, C)
        for _ in range(ROUNDS):
            if step is None or (_relative(primal, best) <= FINE).all():
                break
            biases = biases + step
            _, dual, step = sums.bounds(weights, biases, C)
            best = np.maximum(best, dual)
        return float(_relative(primal, best).max())


def _relative(primal: np.ndarray, dual: np.ndarray) -> np.ndarray:
    gap = np.divide(np.maximum(primal - dual, 0), primal, out=np.zeros_like(primal), where=primal > 0)
    return np.where(np.isfinite(primal) & np.isfinite(dual), gap, np.inf)


class _Sums:
    """Sums over the rows of which primal and dual objectives of the full fits are made."""

    def __init__(self, rows_RD: np.ndarray, problems: Problems) -> None:
        full = replace(problems, members_RV=problems.members_RV[:, -1:])
        self.rows_RD, self.problems, self.weights_BR = rows_RD, full, full.case_weights()
        self.likelihood = likelihood_of(full, self.weights_BR)
        self.every = np.arange(len(self.weights_BR))
        self.total = self.weights_BR.sum(axis=1)
        self.is_free = problems.bias == "free"
        self.scaling = problems.intercept_scaling if problems.bias == "penalised" else 0.0

    def bounds(
        self, weights: np.ndarray, biases: np.ndarray, C: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Return the primal and dual objectives [B], and the Newton step of free biases [B, G]."""
        flat = weights.reshape(-1, weights.shape[2])

        def work(part: slice, block: np.ndarray) -> Totals:
            z = (flat @ block.T).reshape(*weights.shape[:2], -1) + biases[..., None]
            residuals, losses = self.likelihood.residuals(z, self.every, part)
            case = self.weights_BR[:, part]
            entropies = losses * case + np.einsum("bgr,bgr->br", residuals, np.where(z > ABSENT / 2, z, 0))
            combined = (residuals.reshape(-1, len(block)) @ block).reshape(*weights.shape)
            sums = [(case * losses).sum(axis=1), residuals.sum(axis=2)]
            return combined, entropies.sum(axis=1), *sums, self._curvature(z, part), *self._labels(z, part, block)

        combined, entropies, losses, residual, curvature, *labels = exact_sums(self.rows_RD, work)
        penalty = np.square(biases).sum(axis=1) / (2 * self.scaling**2) if self.scaling else 0.0
        primal = np.square(weights).sum(axis=(1, 2)) / 2 + penalty + C * losses
        step = _steps(curvature, residual) if self.is_free else None
        if self.is_free:
            combined, entropies = self._balanced(combined, entropies, residual, tuple(labels))
        squares = np.square(combined).sum(axis=(1, 2)) + self.scaling**2 * np.square(residual).sum(axis=1)
        return primal, C * entropies - C * C * squares / 2, step

    def _curvature(self, z: np.ndarray, part: slice) -> np.ndarray:
        """Return the second derivative with respect to free biases: [B, G, G]."""
        size = z.shape[1]
        if not self.is_free:
            return np.zeros((len(z), 0, 0))
        if self.problems.labels.ndim == 2:
            return self.likelihood.curvature(z, np.ones_like(z), self.every, part).sum(axis=2, keepdims=True)
        shares = np.exp(z - z.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        weighted = shares * self.weights_BR[:, None, part]
        return weighted.sum(axis=2)[..., None] * np.eye(size) - weighted @ shares.swapaxes(1, 2)

    def _labels(self, z: np.ndarray, part: slice, block: np.ndarray) -> Totals:
        """Return sums of the weighted rows of each label [B, G, D], of all rows [B, D], and of weights [B, G]."""
        if not self.is_free:
            return np.zeros(0), np.zeros(0), np.zeros(0)
        case = self.weights_BR[:, part]
        if self.problems.labels.ndim == 2:
            of_label = (case * (self.problems.labels[part].T > 0))[:, None]
        else:
            numbers = np.arange(self.problems.classes)[:, None]
            of_label = case[:, None] * (self.problems.labels[part] == numbers)
        rows = (of_label.reshape(-1, len(block)) @ block).reshape(*z.shape[:2], -1)
        return rows, case @ block, of_label.sum(axis=2)

    def _balanced(
        self, combined: np.ndarray, entropies: np.ndarray, residual: np.ndarray, sums: Totals
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return A'X / C and the entropies' sums after the mixing that makes Σ A = 0."""
        rows, every, labels = sums
        found = np.maximum(labels - residual, 0)  # the sums of q
        total = self.total[:, None]
        sides = [(found, labels)] + ([(total - found, total - labels)] if found.shape[1] == 1 else [])
        needed = [np.where(have > want, 1 - want / np.where(have > 0, have, 1), 0) for have, want in sides]
        share = np.concatenate(needed, axis=1).max(axis=1, keepdims=True)
        wanted = np.divide(labels - (1 - share) * found, share, out=np.zeros_like(found), where=share > 0)
        mixture = np.divide(wanted, total, out=np.zeros_like(found), where=total > 0).clip(0, 1)
        combined = (1 - share[..., None]) * combined + share[..., None] * (rows - mixture[..., None] * every[:, None])
        whole = np.concatenate([mixture, 1 - mixture], axis=1) if mixture.shape[1] == 1 else mixture
        entropy = -(whole * np.log(np.where(whole > 0, whole, 1))).sum(axis=1)
        return combined, (1 - share[:, 0]) * entropies + share[:, 0] * self.total * entropy


def _steps(curvature: np.ndarray, residual: np.ndarray) -> np.ndarray:
    """Return Newton steps [B, G] of at most 1, from second derivatives [B, G, G] and negative first ones [B, G]."""
    parts = [np.linalg.pinv(each, 1e-12, hermitian=True) @ fall for each, fall in zip(curvature, residual, strict=True)]
    return np.stack(parts).clip(-1, 1)
