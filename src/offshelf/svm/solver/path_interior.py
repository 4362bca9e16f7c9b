"""Interior points on a working set: for far more rows than dimensions, however much the classes overlap.

A primal-dual method with Mehrotra's predictor and corrector (Ferris and Munson, SIAM J. Optim. 2002; Woodsend and
Gondzio, JMLR 2009) takes some tens of steps, whatever C is. A step costs X' diag(θ) X, n D² multiplications, and a
Cholesky factor of D + 1. With margins m_i = y_i (w·x_i + b), slacks ξ, s ≥ 0 and multipliers α, v = U − α ≥ 0, it
follows the central path

    R w − g = Σ α_i y_i x_i,    m − 1 + ξ = s,    s α = μ,    ξ v = μ

to μ = 0, where R is 1, or 0 for a free bias. Under the squared hinge ξ = α / 2U and there is no v. Eliminating all
variables but w gives the matrix R + X' diag(θ) X, where θ = 1 / (s/α + ξ/v), under the squared hinge 1 / (s/α + 1/2U).

Most rows need not take part: rows with a margin clearly above 1 have α = 0; under the hinge, rows with a margin clearly
below 1 have α = U, whose sum is the constant g. The rows near 1 are first guessed from the solution on a sample or at
another C, and then corrected by the margins of all rows, as in decomposition methods (Joachims 1999), but with a large
working set. The gap of each solution is computed on all rows, in float64.

Axes: N rows of a problem, F rows of its working set, D dimensions, the last of which is the bias.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from offshelf.svm.monitor import advance
from offshelf.svm.solver.central_path import CentralPath, weighted_loss
from offshelf.svm.solver.problem import OneVsOneSigns, Problems, RegularizationPath, Solution, balance, relative_gap
from offshelf.svm.solver.threads import run_parallel

ROUNDS = 30
"""Working sets at one C, at most."""
SMALL = 1500
"""Up to so many rows all of them take part."""
SAMPLE = 6
"""One row in so many is in the sample that the first working set is guessed from."""
LEAST, PER_DIMENSION, PART = 600, 5, 8
"""Rows of a working set: at least so many, so many per dimension, and one in so many of all."""
AIM = 0.3
"""The gap that a working set is solved to, in units of the tolerance."""
WIDTH = 1 << 25
"""Weights of a group of tasks that are held at a time."""


def solve_path(rows_RD: np.ndarray, problems: Problems, Cs: Sequence[float], tol: float) -> RegularizationPath:
    """Solve all problems at each C.

    Args:
        rows_RD: float32 or float64, in memory; a float64 copy is made.
        problems: Labels and weights.
        Cs: In ascending order.
        tol: Largest relative duality gap.
    """
    task = _Tasks(rows_RD, problems, np.array(Cs, float), tol)
    size = max(1, WIDTH // (len(Cs) * problems.shape[2] * task.rows_ND.shape[1]))
    tasks = problems.shape[1]
    for start in range(0, tasks, size):
        chosen = slice(start, min(start + size, tasks))
        solved = run_parallel(task.solve, range(chosen.start, chosen.stop))
        w_CVDK = np.stack([w for w, _ in solved], axis=-1)
        gap_CKV = np.stack([gap for _, gap in solved], axis=1)
        for number, C in enumerate(Cs):
            yield chosen, task.solution(C, w_CVDK[number], gap_CKV[number])


class _Tasks:
    """All tasks of a call, on rows that they share."""

    def __init__(self, rows_RD: np.ndarray, problems: Problems, Cs: np.ndarray, tol: float) -> None:
        self.source, self.problems, self.Cs, self.tol = rows_RD, problems, Cs, tol
        self.scale = float(np.sqrt(np.einsum("ij,ij->", rows_RD, rows_RD, dtype=np.float64) / len(rows_RD))) or 1.0
        bias = {"none": 0.0, "free": 1.0, "penalised": problems.intercept_scaling / self.scale}[problems.bias]
        self.rows_ND = np.empty((len(rows_RD), rows_RD.shape[1] + 1))
        np.divide(rows_RD, self.scale, out=self.rows_ND[:, :-1])
        self.rows_ND[:, -1] = self.bias = bias

    def solve(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Solve one task in all variants at all C: w [C, V, D] of the scaled rows, and gaps [C, V]."""
        problems = self.problems.tasks(slice(number, number + 1))
        sign_R = problems.signs_RK[:, 0]
        chosen = np.flatnonzero(sign_R) if isinstance(self.problems.signs_RK, OneVsOneSigns) else slice(None)
        rows_ND, sign_N = self.rows_ND[chosen], sign_R[chosen].astype(float)
        share_VN = problems.case_weights()[0][:, chosen]
        variants = len(share_VN)
        w_CVD, gap_CV = np.zeros((len(self.Cs), variants, rows_ND.shape[1])), np.zeros((len(self.Cs), variants))
        start: np.ndarray | None = None
        for at, C in enumerate(self.Cs * self.scale**2):
            for variant in reversed(range(variants)):  # the whole is the last, and the folds start from it
                problem = _Binary(rows_ND, sign_N, share_VN[variant], problems.bias, problems.loss)
                w_CVD[at, variant], gap_CV[at, variant] = problem.solve(C, self.tol, start)
                start = w_CVD[at, -1]
                advance(1)
        return w_CVD, gap_CV

    def solution(self, C: float, w_VDK: np.ndarray, gap_KV: np.ndarray) -> Solution:
        """Return what is asked of the tasks of a group at one C."""
        weights_VDK, bias_VK = w_VDK[:, :-1] / self.scale, w_VDK[:, -1] * self.bias
        return Solution(
            C,
            lambda rows, variant: self.source[rows] @ weights_VDK[variant] + bias_VK[variant],
            gap_KV,
            lambda: (weights_VDK[-1].copy(), bias_VK[-1].copy()),
        )


@dataclass(eq=False)
class _Binary:
    """A binary problem; rows without a share are not part of it."""

    rows_ND: np.ndarray
    """float64; the last column is the bias's."""
    sign_N: np.ndarray
    share_N: np.ndarray
    """What C is multiplied with."""
    bias: str
    loss: str

    def __post_init__(self) -> None:
        self.is_free, self.is_squared = self.bias == "free", self.loss == "squared_hinge"
        self.is_part = self.share_N > 0
        self.ridge_D = np.ones(self.rows_ND.shape[1])
        self.ridge_D[-1] = not self.is_free

    def solve(self, C: float, tol: float, start_D: np.ndarray | None) -> tuple[np.ndarray, float]:
        """Solve to a relative gap on all rows; from w of a similar problem, if there is one. Returns w and the gap."""
        count = int(self.is_part.sum())
        if not count or (self.is_free and abs(self.sign_N[self.is_part].sum()) == count):
            return self._of_one_class(), 0.0
        size = max(LEAST, PER_DIMENSION * len(self.ridge_D), count // PART)
        is_small = count <= max(SMALL, 1.5 * size)
        if start_D is None:
            start_D = np.zeros(len(self.ridge_D)) if is_small else self._guess(count, C, tol)
        w, margins = self._centred(start_D)
        is_in = self.is_part if is_small else self._nearest(margins, size)
        active = _Active(is_in, self.is_part & ~is_in & (margins < 1))
        best_w, gaps = w, list[float]()
        for _ in range(ROUNDS):
            w, alpha = self._solve_active(C, AIM * tol, active, w, margins)
            w, margins = self._centred(w)
            gaps.append(self._gap(w, margins, alpha, C))
            if gaps[-1] <= min(gaps):
                best_w = w
            if min(gaps) <= tol or (active.is_in | ~self.is_part).all():
                break
            is_stuck = len(gaps) > 3 and min(gaps[-3:]) > 0.5 * min(gaps[:-3])
            grown = self.is_part if is_stuck else self._grown(active, margins)
            active = active.moved_to(grown, margins)
        return best_w, min(gaps)

    def _of_one_class(self) -> np.ndarray:
        """Return w where all rows are of one class and the bias is free, or there are no rows."""
        w = np.zeros(len(self.ridge_D))
        if self.is_part.any():
            w[-1] = self.sign_N[self.is_part][0]
        return w

    def _guess(self, count: int, C: float, tol: float) -> np.ndarray:
        """Return w of a sample of the rows, which is the same for the same number of rows."""
        chosen = np.flatnonzero(self.is_part)
        chosen = np.sort(chosen[np.random.default_rng(0).permutation(count)[: max(SMALL, count // SAMPLE)]])
        share = self.share_N[chosen] * (count / len(chosen))
        sample = _Binary(self.rows_ND[chosen], self.sign_N[chosen], share, self.bias, self.loss)
        return sample.solve(C, max(tol, 1e-2), None)[0]

    def _centred(self, w_D: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return w with a free bias at its optimum under the hinge, and the margins.

        Then the rows below the margin balance, so that the rows that are held at their bound leave a feasible problem.
        """
        margins = self.sign_N * (self.rows_ND @ w_D)
        if not self.is_free or self.is_squared:
            return w_D, margins
        turn = self.sign_N * (1 - margins)
        order = np.argsort(turn, kind="stable")
        reached = np.cumsum(self.share_N[order])
        wanted = self.share_N[self.sign_N > 0].sum()
        shift = turn[order[min(int(np.searchsorted(reached, wanted)), len(order) - 1)]]
        w_D = w_D.copy()
        w_D[-1] += shift
        return w_D, margins + self.sign_N * shift

    def _gap(self, w_D: np.ndarray, margins_N: np.ndarray, alpha_N: np.ndarray, C: float) -> float:
        """Return the relative gap on all rows; under a free bias of α scaled so that Σ y α = 0."""
        beta = alpha_N * self.sign_N
        if self.is_free:
            balance(beta[None], axis=1)
        primal = 0.5 * self.ridge_D @ (w_D * w_D) + weighted_loss(margins_N, C * self.share_N, self.is_squared)
        combined = (beta @ self.rows_ND) * self.ridge_D
        dual = np.abs(beta).sum() - 0.5 * combined @ combined
        if self.is_squared:
            dual -= 0.25 / C * (beta[self.is_part] ** 2 / self.share_N[self.is_part]).sum()
        return float(relative_gap(np.array([primal]), np.array([dual]))[0])

    def _nearest(self, margins_N: np.ndarray, size: int) -> np.ndarray:
        """Return the rows whose margins are nearest to 1, as a mask."""
        distance = np.where(self.is_part, np.abs(margins_N - 1), np.inf)
        return self.is_part & (distance <= np.partition(distance, size)[size])

    def _grown(self, active: "_Active", margins_N: np.ndarray) -> np.ndarray:
        """Return the next working set: rows that contradict their bound, and those that this one left undecided."""
        is_in = active.is_in
        is_wrong = self.is_part & ~is_in & np.where(active.is_upper, margins_N > 1, margins_N < 1)
        size = int(is_in.sum())
        if is_wrong.sum() <= size:
            distance = np.where(is_in, np.abs(margins_N - 1), np.inf)
            return is_wrong | (is_in & (distance <= np.partition(distance, size // 2)[size // 2]))
        lack = np.where(is_wrong, np.abs(margins_N - 1), -np.inf)  # the guess was poor: the worst of them first
        return is_in | (is_wrong & (lack >= np.partition(lack, len(lack) - size)[len(lack) - size]))

    def _solve_active(
        self, C: float, tol: float, active: "_Active", w: np.ndarray, margins_N: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Solve for the rows of a working set, the others held at their bounds. Returns w, and α of all rows."""
        caps, is_in, is_upper = C * self.share_N, active.is_in, active.is_upper
        if self.is_squared:  # without an upper bound, all rows below the margin take part
            is_in, is_upper = is_in | (self.is_part & (margins_N < 1)), np.zeros_like(is_upper)
        alpha = np.where(is_upper, caps, 0.0)
        constant = (alpha * self.sign_N) @ self.rows_ND, float(alpha.sum())
        rows_FD = self.rows_ND[is_in] * self.sign_N[is_in, None]
        path = CentralPath(rows_FD, caps[is_in], self.ridge_D, constant, self.loss)
        w, alpha[is_in] = path.follow(w, margins_N[is_in], tol)
        return w, alpha


@dataclass(frozen=True, eq=False)
class _Active:
    """A working set, and at which bound the other rows are held."""

    is_in: np.ndarray
    is_upper: np.ndarray
    """Rows that are held at α = U; those that are neither here nor in the working set, at 0."""

    def moved_to(self, is_in: np.ndarray, margins_N: np.ndarray) -> "_Active":
        """Return the next one. Rows that leave are held by their margin; of the others each stays at its bound."""
        return _Active(is_in, np.where(self.is_in, ~is_in & (margins_N < 1), self.is_upper & ~is_in))
