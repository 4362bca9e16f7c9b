"""The dual solver: a walk over C in one Gram matrix, or parts of it, for all tasks and folds together.

At each C, starting from the last one's β scaled by its best factor: the rows that may matter in any fold of a task are
brought together in a small Gram matrix; they are solved there, the whole first, so that the folds can start from what
changed in it; products with all rows, for all problems at once, show which rows were missed, and the gaps. Where there
is no matrix of all rows (`PartialGram`), sweeps over them come first, until few of them are undecided.

A free bias is found by the method of multipliers: f = Kβ + b + κΣβ, and after each solution b grows by κΣβ (Bertsekas,
Constrained Optimization and Lagrange Multiplier Methods, 1982); then β is scaled to Σβ = 0, so that the gap is one of
the problem with the constraint.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from offshelf.svm.solver.box import Box
from offshelf.svm.solver.gram import Gram
from offshelf.svm.solver.partial_gram import PartialGram
from offshelf.svm.solver.problem import COMPACT, MULTIPLIER, STRETCHES, Problems, Solution, balance, relative_gap
from offshelf.svm.solver.sweeps import descend
from offshelf.svm.solver.threads import side_by_side

LOOSE = 300
"""Factor of the tolerance in the first round, whose rows are a guess."""
LARGE, FINER = 3, 100
"""w is no further from the best one than the root of twice the gap. For small C, where ½|w|² is less than a third of
the objective, a gap that is small beside the objective says little of w, and the one that is aimed at is smaller than
the tolerance by the cube of what is missing, up to 100 times: then decision values have the right order too."""
SURE = 4
"""A gap that is smaller than the tolerance by this factor is so in spite of the rounding of float32 products; for
others the best factor of w is looked for."""
WIDTH = 1 << 23
"""Decision values (rows x problems) held at a time."""


def walk(
    gram: Gram | PartialGram, problems: Problems, Cs: Sequence[float], tol: float, left_K: np.ndarray | None = None
) -> Iterator[tuple[slice, Solution]]:
    """Solve all problems at each C, upwards, tasks in groups that fit into memory.

    Args:
        gram: Of the rows.
        problems: All of them.
        Cs: Values of C.
        tol: Largest relative duality gap.
        left_K: bool, read anew at each C: tasks that need not be solved.

    Yields:
        Which tasks, and their solution at one C.
    """
    left_K = np.zeros(problems.shape[1], bool) if left_K is None else left_K
    for chosen in problems.groups(WIDTH):
        path = _Path(gram, problems.tasks(chosen), tol, left_K[chosen])
        for C in sorted(Cs):
            yield chosen, path.solve(C)


class _Path:
    """The state of a walk: β and the decision values Kβ + b of all problems, [K, V, R]; C in units of the Gram matrix.

    The rows of a problem lie side by side, since nearly all that is computed runs along them.
    """

    def __init__(self, gram: Gram | PartialGram, problems: Problems, tol: float, left_K: np.ndarray) -> None:
        gram.absorb()
        self.gram, self.problems, self.tol, self.left_K1 = gram, problems, tol, left_K[:, None]
        self.is_squared = problems.loss == "squared_hinge"
        rows, tasks, variants = problems.shape
        self.is_small = rows <= COMPACT
        self.signs_KR = np.ascontiguousarray(problems.signs_RK[:, :].T, np.float64)
        self.shares = problems.shares()
        self.beta = np.zeros((tasks, variants, rows))
        self.decisions = np.zeros((tasks, variants, rows))
        self.offset_KV = np.zeros((tasks, variants))
        self._bound(0.0)

    def solve(self, C: float) -> Solution:
        """Go on to a larger C: first the whole of each task, then its folds, which start from what changed in it."""
        self._rescale(C * self.gram.scale**2)
        beta, offset = self.beta[:, -1].copy(), self.offset_KV[:, -1].copy()
        gap, stretch = self._converge(slice(-1, None))
        if self.beta.shape[1] > 1:
            self._follow(self.beta[:, -1] - beta, self.offset_KV[:, -1] - offset)
            of_folds = self._converge(slice(0, -1))
            gap, stretch = (np.concatenate(both, axis=1) for both in zip(of_folds, (gap, stretch), strict=True))
        return self._solution(C, stretch, gap)

    def _follow(self, moved_KR: np.ndarray, offset_K: np.ndarray) -> None:
        """Move the folds as the whole has moved, as far as that is of use and the bounds allow."""
        beta, decisions, signs_K1R = self.beta[:, :-1], self.decisions[:, :-1], self.signs_KR[:, None]
        upper, e = self.upper[:, :-1], self.e[:, :-1]
        moved = signs_K1R * np.clip(signs_K1R * (beta + moved_KR[:, None]), 0, upper)
        if self.gram.is_free:
            balance(moved, 2)
            self.offset_KV[:, :-1] += offset_K[:, None]
            decisions += offset_K[:, None, None]
        moved -= beta
        product = self.gram.decide(moved.reshape(-1, moved.shape[2])).reshape(moved.shape)
        slope = np.einsum("kvr,kvr->kv", moved, signs_K1R - decisions - e * beta)
        curve = np.einsum("kvr,kvr->kv", moved, product + e * moved)
        step = np.clip(np.divide(slope, curve, out=np.zeros_like(slope), where=curve > 0), 0, 1)[:, :, None]
        beta += step * moved
        decisions += step * product

    def _converge(self, variants: slice) -> tuple[np.ndarray, np.ndarray]:
        """Rounds of improvement and inspection of some variants. Returns their gaps and the best factors of w."""
        is_whole = variants.stop is None
        exact = np.full(self.offset_KV[:, variants].shape, self.is_small)
        best, since = np.full(exact.shape, np.inf), np.zeros(exact.shape, int)
        tol = 1e-15 if self.is_small else self.tol
        for turn in range(self.gram.rounds):
            primal, dual, half, stretch = self._objectives(variants)
            gap = relative_gap(primal, dual)
            scale = np.maximum(dual, primal / 4)
            share = np.divide(half, scale, out=np.ones_like(scale), where=scale > 0)
            aim = tol * np.clip((LARGE * share) ** 3, 1 / FINER, 1)
            since = np.where(gap < 0.9 * best, 0, since + 1)
            best = np.minimum(best, gap)
            todo = ~self.left_K1 & (gap > aim) & ((since <= np.where(gap <= self.tol, 2, self.gram.patience)) | ~exact)
            if todo.any():
                target = aim * scale * (LOOSE if turn == 0 and is_whole else 0.5)
                self._improve(variants, todo, aim, np.stack([target, scale], axis=-1), turn)
            elif not is_whole or exact.all():
                break
            newly = ~exact & ((since > self.gram.patience / 2) | (is_whole and not todo.any()))
            since[newly] = 0
            exact |= newly
            self._decide(variants, todo | newly, exact)
        return gap, stretch

    def _rescale(self, C: float) -> None:
        """Scale β by the best factor that the new bounds allow."""
        before = self.C
        self._bound(C)
        if before:
            linear, quadratic, squares = self._terms()
            factor = np.ones_like(linear)
            np.divide(linear, quadratic + squares, out=factor, where=quadratic + squares > 0)
            factor = np.clip(factor, 0, None if self.is_squared else C / before)[:, :, None]
            offset = self.offset_KV[:, :, None]
            self.beta *= factor
            self.decisions = factor * (self.decisions - offset) + offset

    def _bound(self, C: float) -> None:
        """C c, the upper bounds of y β, and e, of all problems: [K, V, R], in one place where tasks share them."""
        caps = C * self.shares
        upper, e = caps, np.zeros_like(caps)
        if self.is_squared:
            upper = np.where(caps > 0, 1e30, 0)
            np.divide(0.5, caps, out=e, where=caps > 0)
        self.C = C
        self.caps, self.upper, self.e = (np.broadcast_to(part, self.beta.shape) for part in (caps, upper, e))

    def _terms(self, variants: slice = slice(None)) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """y'β, β'Kβ and β' diag(e) β, each [K, V]."""
        beta, offset = self.beta[:, variants], self.offset_KV[:, variants]
        linear = np.einsum("kvr,kr->kv", beta, self.signs_KR)
        quadratic = np.einsum("kvr,kvr->kv", beta, self.decisions[:, variants]) - offset * beta.sum(axis=2)
        if not self.is_squared:
            return linear, quadratic, np.zeros_like(linear)
        return linear, quadratic, np.einsum("kvr,kvr->kv", beta * beta, self.e[:, variants])

    def _objectives(self, variants: slice) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Primal and dual objective, ½|w|², and the factor of w with the best primal one, each [K, V]."""
        linear, quadratic, squares = self._terms(variants)
        dual = linear - quadratic / 2 - squares / 2
        offset = self.offset_KV[:, variants]
        norm = quadratic + offset**2 / self.gram.bias_share if self.gram.is_free else quadratic
        parts = [self._primal(task, variants, norm[task], dual[task]) for task in range(len(dual))]
        primal, stretch = (np.stack(part) for part in zip(*parts, strict=True))
        return primal, dual, quadratic / 2, stretch

    def _primal(
        self, task: int, variants: slice, norm_V: np.ndarray, dual_V: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The least primal objective of w, given |w|², and what is a little longer; and that factor: [V] each.

        For one task, whose values stay in the cache.
        """
        margins_VR = self.signs_KR[task] * self.decisions[task, variants]
        caps_VR = self.caps[task, variants]
        primal, stretch = np.full(dual_V.shape, np.inf), np.ones(dual_V.shape)
        for factor in STRETCHES:
            slack_VR = np.maximum(1 - factor * margins_VR, 0)
            losses = np.einsum("vr,vr->v", slack_VR * slack_VR if self.is_squared else slack_VR, caps_VR)
            value = factor**2 * norm_V / 2 + losses
            is_better = value < primal
            stretch, primal = np.where(is_better, factor, stretch), np.minimum(value, primal)
            is_sure = relative_gap(primal, dual_V) <= self.tol / SURE
            if self.is_squared or (is_sure | ~is_better).all():
                break
        return primal, stretch

    def _decide(self, variants: slice, columns: np.ndarray, exact: np.ndarray) -> None:
        beta, decisions, offset = self.beta[:, variants], self.decisions[:, variants], self.offset_KV[:, variants]
        if self.gram.is_free:
            balance(beta, 2)
        for which, decide in ((columns & ~exact, self.gram.decide), (columns & exact, self.gram.decide_exactly)):
            if which.any():
                decisions[which] = decide(beta[which]) + offset[which][:, None]

    def _improve(self, variants: slice, todo: np.ndarray, aim: np.ndarray, targets: np.ndarray, turn: int) -> None:
        numbers, tasks = np.arange(self.beta.shape[1])[variants], np.flatnonzero(todo.any(axis=1)).tolist()

        def chosen(task: int) -> np.ndarray:
            return self._chosen(task, numbers[todo[task]])

        def work(job: tuple[int, np.ndarray]) -> None:
            task, rows = job
            self._improve_task(task, rows, numbers[todo[task]], targets[task, todo[task]])

        rows_of = dict(zip(tasks, side_by_side(chosen, tasks), strict=True))
        if isinstance(self.gram, PartialGram) and not self.gram.is_free:
            is_many = np.array([len(rows_of.get(task, ())) >= self.gram.many for task in range(len(todo))])
            swept = todo & ((turn == 0) | (is_many[:, None] & (turn % 2 == 0)))
            self._sweep(self.gram, variants, swept, aim)
            rows_of = {task: rows for task, rows in rows_of.items() if not swept[task].any()}
        jobs = list(rows_of.items())
        for start in range(0, len(jobs), self.gram.together):
            side_by_side(work, jobs[start : start + self.gram.together])
            self.gram.trim()

    def _sweep(self, gram: PartialGram, variants: slice, swept: np.ndarray, aim: np.ndarray) -> None:
        """Improve some problems by sweeps over the rows."""
        if swept.any():
            upper_PR, e_PR = self.upper[:, variants][swept], self.e[:, variants][swept]
            signs_PR = np.broadcast_to(self.signs_KR[:, None], (*swept.shape, self.signs_KR.shape[1]))[swept]
            beta_PR = self.beta[:, variants][swept]
            descend(gram.kernel, (signs_PR.T, upper_PR.T, e_PR.T), beta_PR.T, aim[swept], int(0.8 * gram.many))
            self.beta[:, variants][swept] = beta_PR

    def _chosen(self, task: int, variants: np.ndarray) -> np.ndarray:
        """The rows that may matter in one of some variants of a task."""
        if self.is_small:
            return np.arange(self.beta.shape[2])
        signs_R = self.signs_KR[task]
        upper_VR, e_VR = self.upper[task, variants], self.e[task, variants]
        alpha_VR, decisions_VR = signs_R * self.beta[task, variants], self.decisions[task, variants]
        lack = 1 - signs_R * decisions_VR - e_VR * alpha_VR
        push_VR = np.where(alpha_VR <= 0, lack, np.where(alpha_VR >= upper_VR, -lack, np.inf))
        push_R = np.where(upper_VR > 0, push_VR, -np.inf).max(axis=0)
        rows = np.flatnonzero(push_R >= -self.gram.near * decisions_VR.std())
        if len(rows) > self.gram.many:
            steep_R = np.where(upper_VR > 0, np.minimum(push_VR, np.abs(lack)), -np.inf).max(axis=0)
            rows = np.sort(np.argpartition(-steep_R, self.gram.many)[: self.gram.many])
        return rows if len(rows) < self.gram.most * len(push_R) else np.arange(len(push_R))

    def _improve_task(self, task: int, rows: np.ndarray, variants: np.ndarray, targets: np.ndarray) -> None:
        """Solve some variants of a task on some rows."""
        signs_M = self.signs_KR[task, rows]
        self.gram.reach(task, rows)
        K_MM = self.gram.square(task, rows)
        kappa = MULTIPLIER * max(1.0, 1 / self.C) if self.gram.is_free else self.gram.kappa
        y_M = signs_M.astype(np.float32)
        for variant, target in zip(variants, targets, strict=True):
            upper_M, e_M, start = (part[task, variant, rows] for part in (self.upper, self.e, self.beta))
            beta, gradient = start.copy(), self.decisions[task, variant, rows] - signs_M + e_M * start
            box = Box(K_MM, kappa, e_M.astype(np.float32), upper_M, y_M, self.gram.turns(len(rows)))
            box.solve(beta, gradient.astype(np.float32), *target)
            self.beta[task, variant, rows] = y_M * np.clip(y_M * beta, 0, upper_M)
            if self.gram.is_free:
                self.offset_KV[task, variant] += kappa * (beta - start).sum()  # Σ β was 0

    def _solution(self, C: float, stretch: np.ndarray, gap: np.ndarray) -> Solution:
        whole, offset, factor = self.beta[:, -1].copy(), self.offset_KV[:, -1].copy(), stretch[:, -1]
        values = self.decisions * stretch[:, :, None]

        def model() -> tuple[np.ndarray, np.ndarray]:
            weights, bias = self.gram.model(whole, offset)
            return weights * factor, bias * factor

        return Solution(C, lambda rows, variant: values[:, variant, rows].T, gap, model)
