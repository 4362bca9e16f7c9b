"""One binary problem at a time, in compiled code: coordinate descent, then interior points on rows near the margin.

Dual coordinate descent (`native/descent.h`) reads each row once a pass and solves most problems in ten to twenty.
Where it is slow, in few dimensions at a large C, it ends early: the gaps so far tell how many passes it still needs. A
primal-dual method with Mehrotra's predictor and corrector (`native/interior.h`; Ferris and Munson, SIAM J. Optim.
2002; Woodsend and Gondzio, JMLR 2009) takes some tens of steps, whatever C is. A step costs X' diag(θ) X, n D² / 2
multiplications, and a factorisation of D + 1. With margins m_i = y_i (w·x_i + b), slacks ξ, s ≥ 0 and multipliers α,
v = U − α ≥ 0, it follows the central path

    R w − g = Σ α_i y_i x_i,    m − 1 + ξ = s,    s α = μ,    ξ v = μ

to μ = 0, where R is 1, or 0 for a free bias. Under the squared hinge ξ = α / 2U and there is no v. Eliminating all
variables but w gives the matrix R + X' diag(θ) X, where θ = 1 / (s/α + ξ/v), under the squared hinge 1 / (s/α + 1/2U).

Where few rows are below the margin, and interior points would start from hardly any information, the rows near it are
solved in the matrix of their products (`native/gram_set.h`), as pairs of classes are: exactly, at any C.

Most rows need not take part: rows with a margin clearly above 1 have α = 0; under the hinge, rows with a margin
clearly below 1 have α = U, whose sum is the constant g. The rows near 1 are first guessed from the margins of
coordinate descent, of a sample, or of another C, and then corrected by the margins of all rows, as in decomposition
methods (Joachims 1999), but with a large working set. The gap of each solution is computed on all rows, in float64.

Axes: N rows of a problem; the last of the D + 1 weights is the bias's.
"""

from collections.abc import Sequence

import numpy as np

from offshelf.svm.native import binary_solve_path
from offshelf.svm.solver.centred_kernel import strips
from offshelf.svm.solver.problem import EXACT_ROWS, Problems, RegularizationPath, Solution
from offshelf.svm.solver.threads import run_parallel

WIDTH = 1 << 25
"""Weights of a group of tasks that are held at a time."""
EXACT_GAP = 1e-14
"""Gap that is aimed at where problems are solved to rounding error: it takes a few more steps of interior points."""


def solve_path(rows_RD: np.ndarray, problems: Problems, Cs: Sequence[float], tol: float) -> RegularizationPath:
    """Solve all problems at each C.

    Args:
        rows_RD: float32 or float64, in memory.
        problems: Labels and weights.
        Cs: In ascending order.
        tol: Largest relative duality gap.
    """
    aim = min(tol, EXACT_GAP) if len(rows_RD) <= EXACT_ROWS else tol
    task = _Tasks(_plain(rows_RD), problems, np.array(Cs, float), aim)
    _, tasks, variants = problems.shape
    size = max(1, WIDTH // (len(Cs) * variants * (rows_RD.shape[1] + 1)))
    for start in range(0, tasks, size):
        chosen = slice(start, min(start + size, tasks))
        solved = run_parallel(task.solve, range(chosen.start, chosen.stop))
        w_CVDK = np.stack([w for w, _ in solved], axis=-1)
        gap_CKV = np.stack([gap for _, gap in solved], axis=1)
        for number, C in enumerate(Cs):
            yield chosen, task.solution(C, w_CVDK[number], gap_CKV[number])


def _plain(rows_RD: np.ndarray) -> np.ndarray:
    """Return rows of a type that the compiled code reads, in C's order."""
    return np.ascontiguousarray(rows_RD, np.float64 if rows_RD.dtype == np.float64 else np.float32)


class _Tasks:
    """All tasks of a call, on rows that they share: scaled to a root mean squared length of 1, with a column for b."""

    def __init__(self, rows_RD: np.ndarray, problems: Problems, Cs: np.ndarray, tol: float) -> None:
        self.rows, self.problems, self.tol = rows_RD, problems, tol
        square_R = np.einsum("rd,rd->r", rows_RD, rows_RD, dtype=np.float64)
        self.scale = scale = float(np.sqrt(square_R.mean())) or 1.0
        self.Cs, self.is_free = Cs * scale**2, problems.bias == "free"
        self.bias = {"none": 0.0, "free": 1.0, "penalised": problems.intercept_scaling / scale}[problems.bias]
        diagonal_R, shift_R, mean_square, kappa = square_R / scale**2 + self.bias**2, np.zeros(len(rows_RD)), 0.0, 0.0
        if self.is_free:
            mean_D = rows_RD.mean(axis=0, dtype=np.float64) / scale
            shift_R = np.concatenate([rows_RD[strip] @ mean_D for strip in strips(len(rows_RD))]) / scale
            mean_square = float(mean_D @ mean_D)
            distance_R = np.maximum(square_R / scale**2 - 2 * shift_R + mean_square, 0)
            kappa = float(distance_R.mean()) or 1.0
            diagonal_R = distance_R + kappa
        self.kernel = 1 / scale, self.bias, diagonal_R, shift_R, mean_square, kappa

    def solve(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Solve one task in all variants at all C: w [C, V, D + 1] of the scaled rows, and gaps [C, V]."""
        kind = self.is_free, self.problems.loss == "squared_hinge"
        return binary_solve_path(self.rows, self.kernel, kind, self.problems.task(number), (self.Cs, self.tol))

    def solution(self, C: float, w_VDK: np.ndarray, gap_KV: np.ndarray) -> Solution:
        """Return what is asked of the tasks of a group at one C."""
        weights_VDK, bias_VK = w_VDK[:, :-1] / self.scale, w_VDK[:, -1] * self.bias
        return Solution(
            C,
            lambda rows, variant: self.rows[rows] @ weights_VDK[variant] + bias_VK[variant],
            gap_KV,
            lambda: (weights_VDK[-1].copy(), bias_VK[-1].copy()),
        )
