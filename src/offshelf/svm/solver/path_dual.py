"""The regularisation path in the dual: in one Gram matrix, for all tasks and folds together.

At each C, from the last β rescaled, a working set is chosen per task: the rows that may matter in any of its folds, as
in the decomposition methods of Joachims (1999) and libsvm. The problem is solved in the Gram matrix of the working set
(`box_qp`), the full fit first, so that the folds can start from its step; products with all rows, for all problems at
once, then show which rows were missed, and the duality gaps.

A free bias is found by the method of multipliers: f = Kβ + b + κΣβ, and after each solution b grows by κΣβ (Bertsekas,
Constrained Optimization and Lagrange Multiplier Methods, 1982); then β is scaled to Σβ = 0, so that the gap is that of
the problem with the constraint.
"""

from collections.abc import Sequence

import numpy as np

from offshelf.svm.native import PRIMAL_SCALES
from offshelf.svm.solver.box_qp import BoxQP
from offshelf.svm.solver.gram import Gram
from offshelf.svm.solver.problem import (
    EXACT_ROWS,
    PENALTY,
    Problems,
    RegularizationPath,
    Solution,
    balance,
    relative_gap,
)
from offshelf.svm.solver.progress import Progress
from offshelf.svm.solver.threads import run_parallel

FIRST_TARGET, TARGET = 300, 0.5
"""Factors of the gap that is aimed at: in the first round of a full fit, whose working set is a guess, and later."""
ROUNDING_MARGIN = 4
"""A gap below the tolerance by this factor is so in spite of the rounding errors of float32 products; for larger gaps
the best factor of w is searched."""
MARGIN_BAND, ALL_ROWS_SHARE = 0.05, 0.5
"""Rows at a bound whose margin is this close to 1, in standard deviations of the decision values, are taken in; and the
share of the rows from which on all of them are."""
MAX_ROUNDS, PATIENCE = 60, 4
"""Most working sets at one C; and rounds without a smaller gap before float32 products are replaced by float64 ones, or
a problem is given up."""
SMO_ROUNDS = 16
"""Most rounds of SMO: problems that need more are so ill-conditioned that they need far more."""
GROUP_VALUES = 1 << 23
"""Most decision values (rows x problems) held at a time."""
FULL, FOLDS = slice(-1, None), slice(0, -1)
"""The variants of a task: the full fit is the last."""


def solve_path(
    gram: Gram, problems: Problems, Cs: Sequence[float], tol: float, dropped_K: np.ndarray | None = None
) -> RegularizationPath:
    """Solve all problems at each C, tasks in groups that fit into memory.

    Args:
        gram: The kernel of the rows.
        problems: All of them.
        Cs: In ascending order.
        tol: Largest relative duality gap.
        dropped_K: bool, read again at each C: tasks that need not be solved.

    Yields:
        Which tasks, and their solution at one C.
    """
    dropped_K = np.zeros(problems.shape[1], bool) if dropped_K is None else dropped_K
    for chosen in problems.groups(GROUP_VALUES):
        path = DualPath(gram, problems.tasks(chosen), tol, dropped_K[chosen])
        for C in Cs:
            yield chosen, path.solve(C)


class DualPath:
    """The state of a path: β and the decision values Kβ + b of all problems, [K, V, R]; C in units of the Gram matrix.

    The rows of a problem are contiguous, since nearly all loops run along them.
    """

    def __init__(self, gram: Gram, problems: Problems, tol: float, dropped_K: np.ndarray) -> None:
        gram.add_bias_terms()
        self.gram, self.problems, self.tol, self.dropped_K1 = gram, problems, tol, dropped_K[:, None]
        self.is_squared = problems.loss == "squared_hinge"
        rows, tasks, variants = problems.shape
        self.is_exact = rows <= EXACT_ROWS
        self.signs_KR = np.ascontiguousarray(problems.signs_RK[:, :].T, np.float64)
        self.case_weights = problems.case_weights()
        self.beta = np.zeros((tasks, variants, rows))
        self.decisions = np.zeros((tasks, variants, rows))
        self.offset_KV = np.zeros((tasks, variants))
        self._set_bounds(0.0)

    def solve(self, C: float) -> Solution:
        """Continue to a larger C: first the full fit of each task, then its folds, which start from its step."""
        self._rescale(C * self.gram.scale**2)
        beta, offset = self.beta[:, -1].copy(), self.offset_KV[:, -1].copy()
        gap, primal_scale = self._converge(FULL, is_full=True)
        if self.beta.shape[1] > 1:
            self._move_folds(self.beta[:, -1] - beta, self.offset_KV[:, -1] - offset)
            of_folds = self._converge(FOLDS, is_full=False)
            gap, primal_scale = (
                np.concatenate(both, axis=1) for both in zip(of_folds, (gap, primal_scale), strict=True)
            )
        return self._solution(C, primal_scale, gap)

    def _move_folds(self, step_KR: np.ndarray, offset_K: np.ndarray) -> None:
        """Move the folds along the step of the full fit, projected into their bounds, by an exact line search."""
        beta, decisions, signs_K1R = self.beta[:, FOLDS], self.decisions[:, FOLDS], self.signs_KR[:, None]
        upper, e = self.upper[:, FOLDS], self.e[:, FOLDS]
        direction = signs_K1R * np.clip(signs_K1R * (beta + step_KR[:, None]), 0, upper)
        if self.gram.has_free_bias:
            balance(direction, 2)
            self.offset_KV[:, FOLDS] += offset_K[:, None]
            decisions += offset_K[:, None, None]
        direction -= beta
        product = self.gram.decision_values(direction.reshape(-1, direction.shape[2])).reshape(direction.shape)
        slope = np.einsum("kvr,kvr->kv", direction, signs_K1R - decisions - e * beta)
        curvature = np.einsum("kvr,kvr->kv", direction, product + e * direction)
        length = np.divide(slope, curvature, out=np.zeros_like(slope), where=curvature > 0)
        length = np.clip(length, 0, 1)[:, :, None]
        beta += length * direction
        decisions += length * product

    def _converge(self, variants: slice, *, is_full: bool) -> tuple[np.ndarray, np.ndarray]:
        """Improve some variants round by round. Returns their gaps and the best factors of w."""
        shape = self.offset_KV[:, variants].shape
        progress = Progress(shape, self.tol, PATIENCE, is_exact=self.is_exact, is_full=is_full)
        for number in range(MAX_ROUNDS):
            primal, dual, half_norm, primal_scale = self._objectives(variants)
            gap = relative_gap(primal, dual)
            scale = np.maximum(dual, primal / 4)
            aim = progress.aim(half_norm, scale)
            todo = progress.unfinished(gap, aim) & ~self.dropped_K1
            if progress.is_finished(todo):
                break
            if todo.any():
                target = aim * scale * (FIRST_TARGET if number == 0 and is_full else TARGET)
                self._improve(variants, todo, np.stack([target, scale], axis=-1))
            newly_exact = progress.switch_to_exact(todo)
            self._update_decisions(variants, todo | newly_exact, progress.exact)
        return gap, primal_scale

    def _rescale(self, C: float) -> None:
        """Rescale β by the factor that minimises the dual objective within the new bounds."""
        before = self.C
        self._set_bounds(C)
        if before:
            linear, quadratic, squares = self._terms()
            factor = np.ones_like(linear)
            np.divide(linear, quadratic + squares, out=factor, where=quadratic + squares > 0)
            factor = np.clip(factor, 0, None if self.is_squared else C / before)[:, :, None]
            offset = self.offset_KV[:, :, None]
            self.beta *= factor
            self.decisions = factor * (self.decisions - offset) + offset

    def _set_bounds(self, C: float) -> None:
        """Set C c, the upper bounds of y β, and e, of all problems: [K, V, R], stored once if tasks share them."""
        caps = C * self.case_weights
        upper, e = caps, np.zeros_like(caps)
        if self.is_squared:
            upper = np.where(caps > 0, 1e30, 0)
            np.divide(0.5, caps, out=e, where=caps > 0)
        self.C = C
        self.caps, self.upper, self.e = (np.broadcast_to(part, self.beta.shape) for part in (caps, upper, e))

    def _terms(self, variants: slice = slice(None)) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return y'β, β'Kβ and β' diag(e) β, each [K, V]."""
        beta, offset = self.beta[:, variants], self.offset_KV[:, variants]
        linear = np.einsum("kvr,kr->kv", beta, self.signs_KR)
        quadratic = np.einsum("kvr,kvr->kv", beta, self.decisions[:, variants]) - offset * beta.sum(axis=2)
        if not self.is_squared:
            return linear, quadratic, np.zeros_like(linear)
        return linear, quadratic, np.einsum("kvr,kvr->kv", beta * beta, self.e[:, variants])

    def _objectives(self, variants: slice) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Return the primal and dual objectives, ½|w|², and the factors of w with the least primal: each [K, V]."""
        linear, quadratic, squares = self._terms(variants)
        dual = linear - quadratic / 2 - squares / 2
        offset = self.offset_KV[:, variants]
        norm = quadratic + offset**2 / self.gram.bias_share if self.gram.has_free_bias else quadratic
        parts = [self._least_primal(task, variants, norm[task], dual[task]) for task in range(len(dual))]
        primal, primal_scale = (np.stack(part) for part in zip(*parts, strict=True))
        return primal, dual, quadratic / 2, primal_scale

    def _least_primal(
        self, task: int, variants: slice, norm_V: np.ndarray, dual_V: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the least primal objective of one task among the scales of w, and that scale: [V] each.

        Task by task, so that values stay in the cache.
        """
        margins_VR = self.signs_KR[task] * self.decisions[task, variants]
        caps_VR = self.caps[task, variants]
        primal, primal_scale = np.full(dual_V.shape, np.inf), np.ones(dual_V.shape)
        for scale in PRIMAL_SCALES:
            slack_VR = np.maximum(1 - scale * margins_VR, 0)
            losses = np.einsum("vr,vr->v", slack_VR * slack_VR if self.is_squared else slack_VR, caps_VR)
            value = scale**2 * norm_V / 2 + losses
            is_better = value < primal
            primal_scale, primal = np.where(is_better, scale, primal_scale), np.minimum(value, primal)
            is_sure = relative_gap(primal, dual_V) <= self.tol / ROUNDING_MARGIN
            if self.is_squared or (is_sure | ~is_better).all():
                break
        return primal, primal_scale

    def _update_decisions(self, variants: slice, which: np.ndarray, exact: np.ndarray) -> None:
        """Compute the decision values of some problems again, some of them from exact products."""
        beta, decisions, offset = self.beta[:, variants], self.decisions[:, variants], self.offset_KV[:, variants]
        if self.gram.has_free_bias:
            balance(beta, 2)
        products = (which & ~exact, self.gram.decision_values), (which & exact, self.gram.exact_decision_values)
        for chosen, decision_values in products:
            if chosen.any():
                decisions[chosen] = decision_values(beta[chosen]) + offset[chosen][:, None]

    def _improve(self, variants: slice, todo: np.ndarray, targets: np.ndarray) -> None:
        """Improve the unfinished problems: one round, tasks in parallel."""
        variant_numbers, tasks = np.arange(self.beta.shape[1])[variants], np.flatnonzero(todo.any(axis=1)).tolist()

        def working_set(task: int) -> np.ndarray:
            return self._working_set(task, variant_numbers[todo[task]])

        def work(job: tuple[int, np.ndarray]) -> None:
            task, rows = job
            self._improve_task(task, rows, variant_numbers[todo[task]], targets[task, todo[task]])

        run_parallel(work, list(zip(tasks, run_parallel(working_set, tasks), strict=True)))

    def _working_set(self, task: int, variants: np.ndarray) -> np.ndarray:
        """Return the rows that may matter in one of some variants of a task: free, or near to a KKT violation."""
        if self.is_exact:
            return np.arange(self.beta.shape[2])
        signs_R = self.signs_KR[task]
        upper_VR, e_VR = self.upper[task, variants], self.e[task, variants]
        alpha_VR, decisions_VR = signs_R * self.beta[task, variants], self.decisions[task, variants]
        slack_VR = 1 - signs_R * decisions_VR - e_VR * alpha_VR
        violation_VR = np.where(alpha_VR <= 0, slack_VR, np.where(alpha_VR >= upper_VR, -slack_VR, np.inf))
        violation_R = np.where(upper_VR > 0, violation_VR, -np.inf).max(axis=0)
        rows = np.flatnonzero(violation_R >= -MARGIN_BAND * decisions_VR.std())
        return rows if len(rows) < ALL_ROWS_SHARE * len(violation_R) else np.arange(len(violation_R))

    def _improve_task(self, task: int, rows: np.ndarray, variants: np.ndarray, targets: np.ndarray) -> None:
        """Solve some variants of a task on a working set."""
        signs_M = self.signs_KR[task, rows]
        K_MM = self.gram.submatrix(rows)
        kappa = PENALTY * max(1.0, 1 / self.C) if self.gram.has_free_bias else self.gram.kappa
        y_M = signs_M.astype(np.float32)
        for variant, target in zip(variants, targets, strict=True):
            upper_M, e_M, start = (part[task, variant, rows] for part in (self.upper, self.e, self.beta))
            beta, gradient = start.copy(), self.decisions[task, variant, rows] - signs_M + e_M * start
            qp = BoxQP(K_MM, kappa, e_M.astype(np.float32), upper_M, y_M, SMO_ROUNDS)
            qp.solve(beta, gradient.astype(np.float32), *target)
            self.beta[task, variant, rows] = y_M * np.clip(y_M * beta, 0, upper_M)
            if self.gram.has_free_bias:
                self.offset_KV[task, variant] += kappa * (beta - start).sum()  # Σ β was 0

    def _solution(self, C: float, primal_scale: np.ndarray, gap: np.ndarray) -> Solution:
        beta, offset, scale = self.beta[:, -1].copy(), self.offset_KV[:, -1].copy(), primal_scale[:, -1]
        values = self.decisions * primal_scale[:, :, None]

        def model() -> tuple[np.ndarray, np.ndarray]:
            weights, bias = self.gram.model(beta, offset)
            return weights * scale, bias * scale

        return Solution(C, lambda rows, variant: values[:, variant, rows].T, gap, model)
