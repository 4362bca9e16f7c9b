"""The dual solver: a walk over C in one Gram matrix, for all tasks and folds together.

At each C, starting from the last one's β scaled by its best factor: the rows that may matter in any fold of a task are
brought together in a small Gram matrix; they are solved there, the whole first, so that the folds can start from what
changed in it; products with all rows, for all problems at once, show which rows were missed, and the gaps.

A free bias is found by the method of multipliers: f = Kβ + b + κΣβ, and after each solution b grows by κΣβ (Bertsekas,
Constrained Optimization and Lagrange Multiplier Methods, 1982); then β is scaled to Σβ = 0, so that the gap is one of
the problem with the constraint.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from offshelf.classifier.solver.gram import Gram
from offshelf.classifier.solver.problem import Problems, Solution, balance, relative_gap

ROUNDS = 60
"""Times that the rows are chosen anew, at most."""
PATIENCE = 8
"""Rounds without a smaller gap before float32 products give way to float64 ones, or the search is given up."""
LOOSE = 300
"""Factor of the tolerance in the first round, whose rows are a guess."""
NEAR = 0.1
"""Rows this close to a margin of 1, in standard deviations of the decision values, may matter."""
COMPACT = 400
"""Up to so many rows, all are taken, and solved to rounding error in float64."""
STRETCHES = (1.0, 1 + 1e-6, 1 + 1e-5, 1 + 3e-5, 1 + 1e-4, 1 + 3e-4, 1 + 1e-3)
"""Factors of w among which the best primal point is chosen: a hard margin that is short of 1 by a rounding error costs
C times that error."""
WIDTH = 1 << 23
"""Decision values (rows x problems) held at a time."""
MULTIPLIER = 1e3
"""κ of a free bias, in units of 1/C where that is more."""


def walk(gram: Gram, problems: Problems, Cs: Sequence[float], tol: float) -> Iterator[tuple[slice, Solution]]:
    """Solve all problems at each C, upwards, tasks in groups that fit into memory.

    Yields:
        Which tasks, and their solution at one C.
    """
    rows, tasks, variants = problems.shape
    group = max(1, WIDTH // (rows * variants))
    for start in range(0, tasks, group):
        chosen = slice(start, min(start + group, tasks))
        path = _Path(gram, problems.tasks(chosen), tol)
        for C in sorted(Cs):
            yield chosen, path.solve(C)


class _Path:
    """The state of a walk: β and the decision values Kβ + b of all problems; C in the units of the Gram matrix."""

    def __init__(self, gram: Gram, problems: Problems, tol: float) -> None:
        self.gram, self.problems, self.tol = gram, problems, tol
        self.is_squared = problems.loss == "squared_hinge"
        self.is_small = problems.shape[0] <= COMPACT
        self.signs_RK1 = problems.signs_RK[:, :, None].astype(np.float64)
        self.beta = np.zeros(problems.shape)
        self.decisions = np.zeros(problems.shape)
        self.offset_KV = np.zeros(problems.shape[1:])
        self.C = 0.0

    def solve(self, C: float) -> Solution:
        """Go on to a larger C."""
        self._rescale(C * self.gram.scale**2)
        exact_KV = np.full(self.offset_KV.shape, self.is_small)
        best, since = np.full(exact_KV.shape, np.inf), np.zeros(exact_KV.shape, int)
        tol = 1e-15 if self.is_small else self.tol
        for turn in range(ROUNDS):
            primal, dual, stretch = self._objectives()
            gap = relative_gap(primal, dual)
            since = np.where(gap < 0.9 * best, 0, since + 1)
            best = np.minimum(best, gap)
            patience = np.where(gap <= self.tol, 1, PATIENCE)
            todo = (gap > tol) & ((since <= patience) | ~exact_KV)
            target = tol * np.maximum(dual, primal / 4) * (LOOSE if turn == 0 else 0.5)
            if todo.any():
                self._improve(todo, target)
            elif exact_KV[:, -1].all():
                break
            exact_KV, was_exact = exact_KV | (since > PATIENCE / 2), exact_KV
            if not todo.any():
                exact_KV[:, -1] = True
            since[exact_KV & ~was_exact] = 0
            self._decide(todo | (exact_KV & ~was_exact), exact_KV)
        return self._solution(C, stretch, gap)

    def _rescale(self, C: float) -> None:
        """Scale β by the best factor that the new bounds allow."""
        if self.C:
            linear, quadratic, squares = self._terms(C)
            factor = np.ones_like(linear)
            np.divide(linear, quadratic + squares, out=factor, where=quadratic + squares > 0)
            factor = np.clip(factor, 0, None if self.is_squared else C / self.C)
            self.beta *= factor
            self.decisions = factor * (self.decisions - self.offset_KV) + self.offset_KV
        self.C = C

    def _terms(self, C: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """y'β, β'Kβ and β' diag(e) β, each [K, V]."""
        linear = np.einsum("rkv,rko->kv", self.beta, self.signs_RK1)
        quadratic = np.einsum("rkv,rkv->kv", self.beta, self.decisions) - self.offset_KV * self.beta.sum(axis=0)
        if not self.is_squared:
            return linear, quadratic, np.zeros_like(linear)
        weights = self.problems.weights_RK
        inverse = np.divide(0.5 / C, weights, out=np.zeros_like(weights), where=weights > 0)
        squares = np.einsum("rkv,rkv->rkv", self.beta, self.beta)
        return linear, quadratic, np.einsum("rkv,rko->kv", squares, np.broadcast_to(inverse[..., None], self.signs_RK1.shape))

    def _objectives(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Primal and dual objective, and the factor of w with the best primal one, each [K, V]."""
        linear, quadratic, squares = self._terms(self.C)
        dual = linear - quadratic / 2 - squares / 2
        norm = quadratic + self.offset_KV**2 / self.gram.bias_share if self.gram.is_free else quadratic
        margins = self.signs_RK1 * self.decisions
        members = self.problems.members_RV[:, None]
        weights_RK1 = (self.problems.weights_RK * (self.problems.signs_RK != 0))[:, :, None]
        primal, stretch = np.full(dual.shape, np.inf), np.ones(dual.shape)
        for factor in STRETCHES:
            slack = np.maximum(1 - factor * margins, 0) * members
            losses = np.einsum("rkv,rko->kv", slack * slack if self.is_squared else slack, weights_RK1)
            value = factor**2 * norm / 2 + self.C * losses
            stretch, primal = np.where(value < primal, factor, stretch), np.minimum(value, primal)
            if self.is_squared or (relative_gap(primal, dual) <= self.tol).all():
                break
        return primal, dual, stretch

    def _decide(self, columns_KV: np.ndarray, exact_KV: np.ndarray) -> None:
        if self.gram.is_free:
            balance(self.beta)
        for which, decide in (
            (columns_KV & ~exact_KV, self.gram.decide),
            (columns_KV & exact_KV, self.gram.decide_exactly),
        ):
            if which.any():
                self.decisions[:, which] = decide(self.beta[:, which]) + self.offset_KV[which]

    def _improve(self, todo_KV: np.ndarray, targets_KV: np.ndarray) -> None:
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1, "blas"), ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            tasks = np.flatnonzero(todo_KV.any(axis=1))
            list(pool.map(lambda task: self._improve_task(task, todo_KV[task], targets_KV[task]), tasks))

    def _improve_task(self, task: int, todo_V: np.ndarray, targets_V: np.ndarray) -> None:
        """Solve a task's variants on the rows that may matter in one of them, the last variant (the whole) first."""
        from offshelf.classifier.solver.box import Box, compact

        signs_R = self.signs_RK1[:, task, 0]
        caps_RV = self.problems.caps(task, self.C)
        e_RV, upper_RV = np.zeros_like(caps_RV), caps_RV
        if self.is_squared:
            np.divide(0.5, caps_RV, out=e_RV, where=caps_RV > 0)
            upper_RV = np.where(caps_RV > 0, np.finfo(np.float32).max, 0)
        rows = self._rows(task, signs_R, e_RV, upper_RV)
        K_MM = compact(self.gram, rows)
        kappa = MULTIPLIER * max(1.0, 1 / self.C) if self.gram.is_free else self.gram.kappa
        y_M, moved = signs_R[rows].astype(np.float32), None
        for variant in np.flatnonzero(todo_V)[::-1]:
            start = self.beta[rows, task, variant]
            e_M, upper_M = e_RV[rows, variant].astype(np.float32), upper_RV[rows, variant]
            box, beta = Box(K_MM, kappa, e_M, upper_M, y_M), start.copy()
            gradient = self.decisions[rows, task, variant] - signs_R[rows] + e_RV[rows, variant] * beta
            gradient = gradient.astype(np.float32)
            if moved is not None:
                box.follow(moved, beta, gradient)
            box.solve(beta, gradient, targets_V[variant])
            moved = beta - start if moved is None else moved
            self.beta[rows, task, variant] = y_M * np.clip(y_M * beta, 0, upper_RV[rows, variant])
            if self.gram.is_free:
                self.offset_KV[task, variant] += kappa * (beta - start).sum()  # Σ β was 0

    def _rows(self, task: int, signs_R: np.ndarray, e_RV: np.ndarray, upper_RV: np.ndarray) -> np.ndarray:
        """Rows that are not firmly at a bound in all variants."""
        if self.is_small:
            return np.arange(len(signs_R))
        alpha = signs_R[:, None] * self.beta[:, task]
        lack = 1 - signs_R[:, None] * self.decisions[:, task] - e_RV * alpha
        near = NEAR * self.decisions[:, task].std()
        fixed = ((alpha <= 0) & (lack < -near)) | ((alpha >= upper_RV) & (lack > near))
        return np.flatnonzero(((upper_RV > 0) & ~fixed).any(axis=1))

    def _solution(self, C: float, stretch: np.ndarray, gap: np.ndarray) -> Solution:
        whole, offset, factor = self.beta[:, :, -1].copy(), self.offset_KV[:, -1].copy(), stretch[:, -1]

        def model() -> tuple[np.ndarray, np.ndarray]:
            weights, bias = self.gram.model(whole, offset)
            return weights * factor, bias * factor

        return Solution(C, self.decisions * stretch, gap, model)
