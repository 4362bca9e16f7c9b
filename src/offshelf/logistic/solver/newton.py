"""Newton's method for a batch of problems, all with the same rows and the same C.

Newton's systems are solved inexactly by preconditioned conjugate gradients (Lin, Weng, Keerthi, "Trust region Newton
method for logistic regression", JMLR 2008; Dembo, Eisenstat, Steihaug, "Inexact Newton methods", SIAM J. Numer. Anal.
1982). Scores are kept, so that a line search costs no pass over the rows. A problem ends when its gap is small enough.

A larger C starts where the smaller one ended, moved on along the difference of the last two solutions as far as this
reduces the objective; a fold by what has changed the full fit from that C to this one.
"""

from collections.abc import Callable

import numpy as np

from offshelf.logistic.solver.likelihood import likelihood_of, shift_steps
from offshelf.logistic.solver.preconditioner import Preconditioner
from offshelf.logistic.solver.problem import ABSENT, Problems
from offshelf.logistic.solver.rows import Rows, Totals

NEWTON_STEPS, CG_STEPS = 200, 250
FORCING = 0.2
"""Factor by which conjugate gradients reduce the residual."""
AIM = 0.8
"""The gap that is aimed at, as a share of the tolerance: some is left to the rounding errors of float32."""
NORM_SHARE = 10.0
"""W is no further from the optimum than the root of twice the gap. Where C is so small that ½|W|² is less than a tenth
of the objective, the tolerance is one of 10 times ½|W|² instead: so W, and the order of scores, are right, too."""
GOOD_SLOPE, SEARCHES = 0.1, 12
"""Share of the first slope at which a line search ends, and its most evaluations."""
BIAS_STEPS = 2
"""Newton steps on free biases after all others."""
ROUNDING = 1e-12
"""Least curvature of a direction, relative to its length, that is not taken for a rounding error."""
STALLED, POLISHING, LEAST_DECREASE = 4, 2, 0.9
"""Steps without progress after which a problem is left as it is, and the same if its gap is within the tolerance;
progress is a gap smaller by this factor, or a smaller objective."""


class Batch:
    """The state of some problems: weights W [B, G, D + 1], scores z [B, G, R], relative gaps [B]."""

    def __init__(self, rows: Rows, preconditioner: Preconditioner, problems: Problems, tol: float) -> None:
        self.rows, self.preconditioner, self.tol = rows, preconditioner, tol
        self.variants = problems.members_RV.shape[1]
        weights_BR = problems.case_weights()
        self.likelihood = likelihood_of(problems, weights_BR.astype(rows.dtype))
        self.W = np.zeros((len(weights_BR), problems.classes, rows.dims), rows.dtype)
        self.penalty = np.ones(rows.dims, rows.dtype)
        self.gap, self.passes = np.zeros(len(weights_BR)), np.zeros(len(weights_BR))
        self.is_constant = np.zeros(len(weights_BR), bool)
        """Binary problems of one label with a free bias, which have no optimum: the log odds are their bias."""
        if problems.bias == "free":
            self.penalty[-1] = 0
            self._set_extreme_biases(problems, weights_BR)
        self.z = np.empty((*self.W.shape[:2], rows.count), rows.dtype)
        self.z[:] = self.W[..., -1:] * rows.dtype(rows.column)

    def _set_extreme_biases(self, problems: Problems, weights_BR: np.ndarray) -> None:
        if problems.labels.ndim == 1:
            totals = [weights_BR[:, problems.labels == number].sum(axis=1) for number in range(problems.classes)]
            self.W[..., -1][np.stack(totals, axis=1) == 0] = ABSENT
            return
        is_positive = np.repeat(problems.labels.T > 0, self.variants, axis=0)
        positive = (weights_BR * is_positive).sum(axis=1)
        negative = (weights_BR * ~is_positive).sum(axis=1)
        self.is_constant = np.minimum(positive, negative) == 0
        odds = np.log((positive + 1) / (negative + 1))
        self.W[self.is_constant, 0, -1] = odds[self.is_constant]

    def minimise(self, problems: np.ndarray, C: float) -> None:
        """Take Newton steps on some problems until their gaps are as small as is aimed at, or stay as they are."""
        todo = problems[~self.is_constant[problems]]
        progress = _Progress(len(self.gap), 1e-2 * np.sqrt(np.finfo(self.rows.dtype).eps))
        for _ in range(NEWTON_STEPS):
            gradient, objective, gap, curvatures = self.evaluate(todo, C)
            self.gap[todo] = np.divide(gap, objective, out=np.zeros_like(gap), where=objective > 0)
            half = _squares(self.penalty * self.W[todo]) / 2
            aim = AIM * self.tol * np.minimum(objective, NORM_SHARE * half)
            patience = np.where(gap > AIM * self.tol * objective, STALLED, POLISHING)
            is_open = (gap > aim) & progress.goes_on(todo, gap, objective, patience)
            todo, gradient, curvatures, aim = todo[is_open], gradient[is_open], curvatures[is_open], aim[is_open]
            if not len(todo):
                break
            direction, along = self._direction(todo, gradient, curvatures, C, np.sqrt(aim))
            self._move(todo, direction, along, C, _dot(gradient, direction))
        if not self.penalty[-1]:
            self._improve_biases(problems[~self.is_constant[problems]])

    def _improve_biases(self, problems: np.ndarray) -> None:
        """Take Newton steps on free biases alone, which needs no pass: the certificate depends on them most."""

        def work(part: slice) -> Totals:
            z = self.z[problems, :, part]
            residuals = self.likelihood.residuals(z, problems, part)[0]
            curvature = self.likelihood.shift_curvature(z, problems, part)
            return residuals.sum(axis=2, dtype=np.float64), curvature.astype(np.float64)

        for _ in range(BIAS_STEPS if len(problems) else 0):
            falls, curvature = self.rows.score_sums(work)
            steps = shift_steps(curvature, falls).astype(self.rows.dtype)
            self.W[problems, :, -1] += steps
            for problem, step in zip(problems, steps, strict=True):
                self.z[problem] += step[:, None]

    def move(self, problems: np.ndarray, direction: np.ndarray, along: np.ndarray, C: float) -> None:
        """Move some problems along a direction [b, G, D + 1] as far as it is of use; its scores are overwritten."""
        free = ~self.is_constant[problems]
        if not free.all():
            problems, direction, along = problems[free], direction[free], along[free]
        self._move(problems, direction, along, C, None)

    def evaluate(self, todo: np.ndarray, C: float) -> tuple[np.ndarray, ...]:
        """Return the gradient [b, G, D + 1], objective [b], gap [b] and curvatures [b, G]: half a pass.

        A free bias that is not optimal adds to the gap by how much the objective is about to fall.
        """

        def work(part: slice, block: np.ndarray) -> Totals:
            residuals, losses = self.likelihood.residuals(self.z[todo, :, part], todo, part)
            weights = self.likelihood.weights_BR[todo, part]
            total = _dot(weights, losses)
            size = np.abs(residuals)
            squares = np.divide(size * size, weights[:, None], out=np.zeros_like(size), where=weights[:, None] > 0)
            return _times(residuals, block), total, (size - squares).sum(axis=2, dtype=np.float64)

        combined, losses, curvatures = self.rows.sums(work)
        self.passes[todo] += 0.5
        W, curvatures = self.W[todo], C * curvatures
        gradient = self.penalty * W - self.rows.dtype(C) * combined
        gap = _squares(self.penalty * gradient) / 2
        if not self.penalty[-1]:
            falls = np.square(gradient[..., -1], dtype=np.float64) / np.maximum(curvatures, np.finfo(float).tiny)
            gap += falls.sum(axis=1) / 2
        objective = _squares(self.penalty * W) / 2 + C * losses
        return gradient, objective, gap, curvatures

    def _direction(
        self, todo: np.ndarray, gradient: np.ndarray, curvatures: np.ndarray, C: float, goal: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return inexact Newton directions [b, G, D + 1], and their scores [b, G, R]."""
        x, along = np.zeros_like(gradient), np.zeros((*gradient.shape[:2], self.rows.count), gradient.dtype)
        residual, active = self._without_shift(todo, -gradient), np.arange(len(todo))
        goal = np.maximum(goal, FORCING * _length(residual))
        z = self.preconditioner.divide(residual, curvatures, self.rows.count)
        p, rz = z, _dot(residual, z)
        for _ in range(CG_STEPS):
            Hp, scores = self._curvature(todo[active], p, C)
            curved = _dot(p, Hp)
            is_curved = curved > ROUNDING * _squares(p)
            lengths = np.divide(rz, curved, out=np.zeros_like(rz), where=is_curved)
            steps = lengths.astype(p.dtype)[:, None, None]
            x[active] += steps * p
            residual -= steps * Hp
            for row, step, each in zip(active, steps, scores, strict=True):
                each *= step
                along[row] += each
            is_open = is_curved & (_length(residual) > goal[active])
            active = active[is_open]
            if not len(active):
                break
            residual, p, rz = residual[is_open], p[is_open], rz[is_open]
            z = self.preconditioner.divide(residual, curvatures[active], self.rows.count)
            rz, before = _dot(residual, z), rz
            p = z + (rz / np.maximum(before, np.finfo(float).tiny)).astype(p.dtype)[:, None, None] * p
        return x, along

    def _without_shift(self, todo: np.ndarray, residual: np.ndarray) -> np.ndarray:
        """Remove what shifts the free biases of all classes: nothing but a rounding error, in a flat direction."""
        if not self.penalty[-1] and self.W.shape[1] > 1:
            present = self.W[todo][..., -1] > ABSENT
            mean = (residual[..., -1] * present).sum(axis=1) / present.sum(axis=1)
            residual[..., -1] -= present * mean[:, None]
        return residual

    def _curvature(self, todo: np.ndarray, vectors: np.ndarray, C: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the Hessian times vectors [b, G, D + 1], and the scores of the vectors [b, G, R]: one pass."""
        scores = np.empty((*vectors.shape[:2], self.rows.count), vectors.dtype)
        flat = vectors.reshape(-1, self.rows.dims)

        def work(part: slice, block: np.ndarray) -> Totals:
            scores[..., part] = (flat @ block.T).reshape(*vectors.shape[:2], -1)
            curved = self.likelihood.curvature(self.z[todo, :, part], scores[..., part], todo, part)
            return (_times(curved, block),)

        (combined,) = self.rows.sums(work)
        self.passes[todo] += 1
        return self.penalty * vectors + self.rows.dtype(C) * combined, scores

    def _move(
        self, todo: np.ndarray, direction: np.ndarray, along: np.ndarray, C: float, slope: np.ndarray | None
    ) -> None:
        """Go along a direction to where the objective no longer falls, at most to its end; `slope` is that at 0."""
        W = self.W[todo]
        linear, square = _dot(self.penalty * W, direction), _squares(self.penalty * direction)

        def slope_at(step: np.ndarray, chosen: np.ndarray) -> np.ndarray:
            falls = self._falls(todo[chosen], along[chosen], step.astype(W.dtype))
            return linear[chosen] + step * square[chosen] - C * falls

        every = np.arange(len(todo))
        start = slope_at(np.zeros(len(todo)), every) if slope is None else slope
        steps = line_search(slope_at, start).astype(W.dtype)
        self.W[todo] = W + steps[:, None, None] * direction
        for problem, step, each in zip(todo, steps, along, strict=True):
            each *= step
            self.z[problem] += each

    def _falls(self, todo: np.ndarray, along: np.ndarray, step: np.ndarray) -> np.ndarray:
        """Return how fast the sums of losses fall along a direction, a step from here: [b]."""

        def work(part: slice) -> Totals:
            u = along[..., part]
            residuals = self.likelihood.residuals(self.z[todo, :, part] + step[:, None, None] * u, todo, part)[0]
            return (_dot(residuals, u),)

        return self.rows.score_sums(work)[0]


class _Progress:
    """The smallest gaps and objectives so far, and the steps since they have become smaller."""

    def __init__(self, count: int, least_decrease: float) -> None:
        """`least_decrease` is that of an objective, relative, which is more than its rounding error."""
        self.least_decrease, self.stalled = least_decrease, np.zeros(count, int)
        self.gap, self.objective = np.full(count, np.inf), np.full(count, np.inf)

    def goes_on(self, todo: np.ndarray, gap: np.ndarray, objective: np.ndarray, patience: np.ndarray) -> np.ndarray:
        """Take the results of a step; return which problems have not stalled."""
        is_less = objective < self.objective[todo] * (1 - self.least_decrease)
        has_moved = is_less | (gap < LEAST_DECREASE * self.gap[todo])
        self.stalled[todo] = np.where(has_moved, 0, self.stalled[todo] + 1)
        self.gap[todo] = np.minimum(self.gap[todo], gap)
        self.objective[todo] = np.minimum(self.objective[todo], objective)
        return self.stalled[todo] < patience


def line_search(slope_at: Callable[[np.ndarray, np.ndarray], np.ndarray], start: np.ndarray) -> np.ndarray:
    """Return steps [b] from 0 to 1: where the slopes of convex functions vanish, about.

    Args:
        slope_at: Function that returns the slopes at steps, of those functions whose numbers it gets.
        start: The slopes at 0; where one is not negative, the step is 0.
    """
    steps = np.where(start < 0, 1.0, 0.0)
    low, high, low_slope, high_slope = np.zeros_like(steps), steps.copy(), start.copy(), np.zeros_like(start)
    todo = np.flatnonzero(steps)
    for number in range(SEARCHES):
        if not len(todo):
            break
        slopes = slope_at(steps[todo], todo)
        falls = slopes <= 0
        low[todo], low_slope[todo] = np.where(falls, steps[todo], low[todo]), np.where(falls, slopes, low_slope[todo])
        high[todo], high_slope[todo] = (
            np.where(falls, high[todo], steps[todo]),
            np.where(falls, high_slope[todo], slopes),
        )
        is_good = np.abs(slopes) <= GOOD_SLOPE * np.abs(start[todo])
        todo = todo[~is_good & ~(falls & (number == 0))]
        width = high[todo] - low[todo]
        zero = -low_slope[todo] / np.maximum(high_slope[todo] - low_slope[todo], np.finfo(float).tiny)
        steps[todo] = low[todo] + width * np.clip(zero, 0.1, 0.9)
    return steps


def _times(values: np.ndarray, block: np.ndarray) -> np.ndarray:
    """Return the products [b, G, D + 1] of values [b, G, r] with rows [r, D + 1]."""
    return (values.reshape(-1, len(block)) @ block).reshape(*values.shape[:2], -1)


def _dot(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the inner products [b] of arrays [b, ...]: float64."""
    size = len(one)
    return np.einsum("bn,bn->b", one.reshape(size, -1), other.reshape(size, -1)).astype(np.float64)


def _squares(vectors: np.ndarray) -> np.ndarray:
    return _dot(vectors, vectors)


def _length(vectors: np.ndarray) -> np.ndarray:
    return np.sqrt(_squares(vectors))
