"""The duality gap of given models, computed in float64 from the rows as they were given.

With a free bias a lower bound needs Σ_i A_i = 0. The distributions q_i are therefore mixed with one distribution t for
all rows, (1 − ε) q_i + ε t, where t is such that the sums vanish, and ε as small as it can be. The entropy of a mixture
is no less than the mixture of the entropies. Where ε is too large for the tolerance, a Newton step is taken on the
biases.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from offshelf.logistic.solver.likelihood import likelihood_of, shift_steps
from offshelf.logistic.solver.problem import ABSENT, Problems
from offshelf.logistic.solver.rows import Totals, exact_sums
from offshelf.process.blas import one_blas_thread

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


def relative_gap(rows_RD: np.ndarray, problems: Problems, models: Models, C: float) -> float:
    """Return the largest relative duality gap of given models, which need not be optimal in anything.

    The lower bound is that of the models with better free biases, since theirs would make it needlessly loose.
    """
    with one_blas_thread():
        certifier, (weights, biases) = Certifier(rows_RD, problems), models
        primal, best, falls = certifier.bounds(weights, biases, C)
        for _ in range(ROUNDS if certifier.is_free else 0):
            if (_relative(primal, best) <= FINE).all():
                break
            biases = biases + certifier.steps(weights, biases, falls)
            _, dual, falls = certifier.bounds(weights, biases, C)
            best = np.maximum(best, dual)
        return float(_relative(primal, best).max())


def _relative(primal: np.ndarray, dual: np.ndarray) -> np.ndarray:
    gap = np.divide(np.maximum(primal - dual, 0), primal, out=np.zeros_like(primal), where=primal > 0)
    return np.where(np.isfinite(primal) & np.isfinite(dual), gap, np.inf)


class Certifier:
    """Primal and dual objectives of the full fits of some problems, the last of their variants."""

    def __init__(self, rows_RD: np.ndarray, problems: Problems) -> None:
        """Take the rows as they were given."""
        full = replace(problems, members_RV=problems.members_RV[:, -1:])
        self.rows_RD, self.problems, self.weights_BR = rows_RD, full, full.case_weights()
        self.likelihood = likelihood_of(full, self.weights_BR)
        self.every = np.arange(len(self.weights_BR))
        self.total = self.weights_BR.sum(axis=1)
        self.is_free = problems.bias == "free"
        self.scaling = problems.intercept_scaling if problems.bias == "penalised" else 0.0

    def certify(self, models: Models, C: float, tol: float) -> Certified:
        """Return the relative duality gaps of models, with free biases improved where the gap is larger than `tol`."""
        weights, biases = models[0], models[1].copy()
        best = np.full(len(biases), -np.inf)
        for _ in range(ROUNDS):
            primal, dual, falls = self.bounds(weights, biases, C)
            best = np.maximum(best, dual)
            gap = _relative(primal, best)
            if not self.is_free or (gap <= tol).all():
                break
            biases += np.where((gap > tol)[:, None], self.steps(weights, biases, falls), 0)
        return Certified(weights, biases, gap)

    def bounds(self, weights: np.ndarray, biases: np.ndarray, C: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the primal and dual objectives [B], and how fast the losses fall with the biases, [B, G]."""

        def work(part: slice, block: np.ndarray) -> Totals:
            z = _scores(weights, biases, block)
            residuals, losses = self.likelihood.residuals(z, self.every, part)
            case = self.weights_BR[:, part]
            entropies = losses * case + np.einsum("bgr,bgr->br", residuals, np.where(z > ABSENT / 2, z, 0))
            combined = (residuals.reshape(-1, len(block)) @ block).reshape(*weights.shape)
            return combined, entropies.sum(axis=1), (case * losses).sum(axis=1), residuals.sum(axis=2)

        combined, entropies, losses, falls = exact_sums(self.rows_RD, work)
        penalty = np.square(biases).sum(axis=1) / (2 * self.scaling**2) if self.scaling else 0.0
        primal = np.square(weights).sum(axis=(1, 2)) / 2 + penalty + C * losses
        if self.is_free:
            combined, entropies = self._balanced(combined, entropies, falls)
        squares = np.square(combined).sum(axis=(1, 2)) + self.scaling**2 * np.square(falls).sum(axis=1)
        return primal, C * entropies - C * C * squares / 2, falls

    def steps(self, weights: np.ndarray, biases: np.ndarray, falls: np.ndarray) -> np.ndarray:
        """Return Newton steps of free biases: [B, G]."""

        def work(part: slice, block: np.ndarray) -> Totals:
            return (self.likelihood.shift_curvature(_scores(weights, biases, block), self.every, part),)

        return shift_steps(exact_sums(self.rows_RD, work)[0], falls)

    @cached_property
    def _label_sums(self) -> Totals:
        """The sums of the weighted rows of each label [B, G, D], of all rows [B, D], and of weights [B, G]."""

        def work(part: slice, block: np.ndarray) -> Totals:
            case = self.weights_BR[:, part]
            if self.problems.labels.ndim == 2:
                of_label = (case * (self.problems.labels[part].T > 0))[:, None]
            else:
                numbers = np.arange(self.problems.classes)[:, None]
                of_label = case[:, None] * (self.problems.labels[part] == numbers)
            rows = (of_label.reshape(-1, len(block)) @ block).reshape(*of_label.shape[:2], -1)
            return rows, case @ block, of_label.sum(axis=2)

        return exact_sums(self.rows_RD, work)

    def _balanced(
        self, combined: np.ndarray, entropies: np.ndarray, falls: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return A'X / C and the entropies' sums after the mixing that makes Σ A = 0."""
        rows, every, labels = self._label_sums
        found = np.maximum(labels - falls, 0)  # the sums of q
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


def _scores(weights: np.ndarray, biases: np.ndarray, block: np.ndarray) -> np.ndarray:
    """Return z [B, G, r] of rows [r, D]."""
    flat = weights.reshape(-1, weights.shape[2])
    return (flat @ block.T).reshape(*weights.shape[:2], -1) + biases[..., None]
