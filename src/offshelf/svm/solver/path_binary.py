"""One binary problem at a time, in compiled code: a growing working set, coordinate descent, and interior points.

Where few rows are support vectors, a working set of some tens decides (`native/violators.h`). It begins with the rows
of both classes that are nearest to the other one along the difference of their means, is solved exactly, and grows by
the rows that violate its margin most. Most other rows are far from it: the distance between two solutions, and that of
a row from the mean of its class, bound the change of its margin (`native/bounds.h`), so that few are computed. Where
more rows are support vectors than there are dimensions this ends, and the others begin.

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
from typing import Any

import numpy as np

from offshelf.process.cores import usable_cores
from offshelf.svm import native
from offshelf.svm.solver.problem import (
    EXACT_ROWS,
    ROWS_PER_GROUP,
    OneVsOneSigns,
    Problems,
    RegularizationPath,
    Solution,
)
from offshelf.svm.solver.threads import run_parallel

WIDTH = 1 << 25
"""Weights of a group of tasks that are held at a time."""
TASKS_PER_JOB, JOBS_PER_CORE = 128, 4
"""Tasks that a thread solves at a time, at most, and jobs for each core, at least."""
SHORT = 1 << 22
"""Values of the rows of all tasks up to which they take less time than the start of threads."""
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
    solver = _BinarySolver(_plain(rows_RD), problems, np.array(Cs, float), aim)
    _, tasks, variants = problems.shape
    size = max(1, WIDTH // (len(Cs) * variants * (rows_RD.shape[1] + 1)))
    for start in range(0, tasks, size):
        chosen = slice(start, min(start + size, tasks))
        w_KCVD, gap_KCV = solver.solve(chosen)
        for number, C in enumerate(Cs):
            yield chosen, solver.solution(C, w_KCVD[:, number], gap_KCV[:, number])


def _plain(rows_RD: np.ndarray) -> np.ndarray:
    """Return rows of a type that the compiled code reads, in C's order."""
    return np.ascontiguousarray(rows_RD, np.float64 if rows_RD.dtype == np.float64 else np.float32)


def _groups(problems: Problems) -> tuple[np.ndarray, int]:
    """Return a group for each row, int32 [R], and their number: its class, as far as the signs say it."""
    signs = problems.signs_RK
    if isinstance(signs, OneVsOneSigns):
        return signs.numbers_R.astype(np.int32), 1 + int(signs.second_P.max())
    rows, tasks = signs.shape
    if tasks == 1:
        return (signs[:, 0] > 0).astype(np.int32), 2
    if tasks * ROWS_PER_GROUP > rows:
        return np.zeros(rows, np.int32), 1
    return signs.argmax(axis=1).astype(np.int32), tasks


class _BinarySolver:
    """All tasks of a call, on rows that they share: scaled to a root mean squared length of 1, with a column for b."""

    def __init__(self, rows_RD: np.ndarray, problems: Problems, Cs: np.ndarray, tol: float) -> None:
        self.rows, self.problems = rows_RD, problems
        groups_R, count = _groups(problems)
        square_R, mean_D, mean_GD, along_R, radius_R = native.describe_rows(rows_RD, groups_R, count)
        self.scale = scale = float(np.sqrt(square_R.mean())) or 1.0
        is_free = problems.bias == "free"
        self.bias = {"none": 0.0, "free": 1.0, "penalised": problems.intercept_scaling / scale}[problems.bias]
        square_R /= scale**2
        diagonal_R, mean_square, kappa = square_R + self.bias**2, 0.0, 0.0
        if is_free:
            along_R /= scale**2
            mean_square = float(mean_D @ mean_D) / scale**2
            distance_R = np.maximum(square_R - 2 * along_R + mean_square, 0)
            kappa = float(distance_R.mean()) or 1.0
            diagonal_R = distance_R + kappa
        (rows, dims), (_, tasks, variants) = rows_RD.shape, problems.shape
        self.given: dict[str, Any] = {
            **{"row_count": rows, "dims": dims, "tasks": tasks, "variants": variants, "values": len(Cs)},
            **{"source": rows_RD, "is_double": rows_RD.dtype == np.float64, "inverse_scale": 1 / scale},
            **{"bias": self.bias, "diagonal": diagonal_R, "shift": along_R, "mean_square": mean_square, "kappa": kappa},
            **{"is_free": is_free, "is_squared": problems.loss == "squared_hinge", "group_count": count},
            **{"groups": groups_R, "means": np.insert(mean_GD / scale, dims, self.bias, axis=1)},
            **{"radii": radius_R / scale, "members": np.ascontiguousarray(problems.members_RV), "tol": tol},
            **{"weight_columns": problems.weights_RK.shape[1], "Cs": Cs * scale**2},
            **{"weights": np.ascontiguousarray(problems.weights_RK, np.float64)},
            **self._tasks(),
        }

    def _tasks(self) -> dict[str, np.ndarray]:
        signs = self.problems.signs_RK
        if not isinstance(signs, OneVsOneSigns):
            return {"signs": np.ascontiguousarray(signs)}
        starts = np.searchsorted(signs.numbers_R[signs.order_R], np.arange(2 + signs.second_P.max()))
        named = {"order": signs.order_R, "class_starts": starts, "first": signs.first_P, "second": signs.second_P}
        return {name: np.ascontiguousarray(values, np.int64) for name, values in named.items()}

    def solve(self, chosen: slice) -> tuple[np.ndarray, np.ndarray]:
        """Solve some tasks in all variants at all C: w [K, C, V, D + 1] of the scaled rows, and gaps [K, C, V]."""
        tasks = chosen.stop - chosen.start
        shape = tasks, self.given["values"], self.given["variants"]
        w_KCVD, gap_KCV = np.zeros((*shape, self.rows.shape[1] + 1)), np.zeros(shape)
        batch = native.BinaryBatch(**self.given, first_task=chosen.start, solutions=w_KCVD, gaps=gap_KCV)
        is_short = self.rows.size * tasks < SHORT
        each = tasks if is_short else min(TASKS_PER_JOB, -(-tasks // (JOBS_PER_CORE * len(usable_cores()))))

        def work(start: int) -> None:
            native.binary_solve(batch, start, min(start + each, chosen.stop))

        run_parallel(work, range(chosen.start, chosen.stop, each))
        return w_KCVD, gap_KCV

    def solution(self, C: float, w_KVD: np.ndarray, gap_KV: np.ndarray) -> Solution:
        """Return the solution of the tasks of a group at one C."""
        weights_KVD, bias_KV = w_KVD[..., :-1] / self.scale, w_KVD[..., -1] * self.bias
        return Solution(
            C,
            lambda rows, variant: self.rows[rows] @ weights_KVD[:, variant].T + bias_KV[:, variant],
            gap_KV,
            lambda: (weights_KVD[:, -1].copy().T, bias_KV[:, -1].copy()),
        )
