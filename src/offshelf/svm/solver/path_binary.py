"""One binary problem after the other in compiled code: pairs of classes, of more rows than a Gram matrix pays for.

Dual coordinate descent (`native/descent.h`) finds the rows that matter, and solves most problems. Those on which it is
slow, mostly in few dimensions at large C, are finished by interior points on the rows near the margin
(`native/interior.h`; `path_interior` describes the method). The first value of C starts from 0, the others and the
folds from the solution of the whole before them. Each gap is computed on all rows, in float64.

Axes: N rows of a problem, D dimensions, the last of which is the bias.
"""

from collections.abc import Callable, Sequence

import numpy as np

from offshelf.svm import native
from offshelf.svm.solver.centred_kernel import strips
from offshelf.svm.solver.problem import OneVsOneSigns, Problems, RegularizationPath, Solution
from offshelf.svm.solver.threads import run_parallel

GROUP_VALUES = 1 << 25
"""Weights of a group of tasks that are held at a time."""
FREE_BIAS_PENALTY = 1.0
"""Penalty parameter of the method of multipliers for a free bias."""


def solve_path(rows_RD: np.ndarray, problems: Problems, Cs: Sequence[float], tol: float) -> RegularizationPath:
    """Solve all problems at each C.

    Args:
        rows_RD: float32 or float64, in memory; a float32 copy is made.
        problems: Labels and weights.
        Cs: In ascending order.
        tol: Largest relative duality gap.
    """
    tasks = _Tasks(rows_RD, problems, np.array(Cs, float), tol)
    size = max(1, GROUP_VALUES // (len(Cs) * problems.shape[2] * (rows_RD.shape[1] + 1)))
    for start in range(0, problems.shape[1], size):
        chosen = slice(start, min(start + size, problems.shape[1]))
        solved = run_parallel(tasks.solve, range(chosen.start, chosen.stop))
        w_CVDK = np.stack([w for w, _ in solved], axis=-1)
        gap_CKV = np.stack([gap for _, gap in solved], axis=1)
        for number, C in enumerate(Cs):
            yield chosen, tasks.solution(C, w_CVDK[number], gap_CKV[number])


class _Tasks:
    """All tasks of a call, on rows that they share."""

    def __init__(self, rows_RD: np.ndarray, problems: Problems, Cs: np.ndarray, tol: float) -> None:
        self.problems, self.Cs, self.tol = problems, Cs, tol
        is_known = rows_RD.dtype in (np.float32, np.float64)
        self.source_RD = np.ascontiguousarray(rows_RD if is_known else rows_RD.astype(np.float32))
        mean_D = rows_RD.mean(axis=0, dtype=np.float64)
        self.scale, centred_RD = _centred(self.source_RD, mean_D)
        is_free = problems.bias == "free"
        self.bias = {"none": 0.0, "free": 1.0, "penalised": problems.intercept_scaling / self.scale}[problems.bias]
        shift_R, kappa = np.zeros(len(rows_RD)), FREE_BIAS_PENALTY
        if not is_free:
            mean_D = mean_D / self.scale
            shift_R = np.concatenate([centred_RD[strip] @ mean_D for strip in strips(len(rows_RD))])
            kappa = float(mean_D @ mean_D) + self.bias**2
        self.rows = native.BinaryRows(
            self.source_RD, 1 / self.scale, self.bias, centred_RD, shift_R,
            np.einsum("rd,rd->r", centred_RD, centred_RD) + 2 * shift_R + kappa, kappa, is_free,
            problems.loss == "squared_hinge",
        )  # fmt: skip
        self._chosen = _chooser(problems)

    def solve(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """Solve one task in all variants at all C: w [C, V, D] of the scaled rows, and gaps [C, V]."""
        rows_N, sign_N = self._chosen(number)
        weights_RK = self.problems.weights_RK
        weights_N = weights_RK[rows_N, 0 if weights_RK.shape[1] == 1 else number]
        share_VN = np.ascontiguousarray(self.problems.members_RV[rows_N].T * weights_N)
        problem = rows_N, sign_N, share_VN
        return native.binary_solve_path(self.rows, problem, self.Cs * self.scale**2, self.tol)

    def solution(self, C: float, w_VDK: np.ndarray, gap_KV: np.ndarray) -> Solution:
        """Return what is asked of the tasks of a group at one C."""
        weights_VDK, bias_VK = w_VDK[:, :-1] / self.scale, w_VDK[:, -1] * self.bias
        return Solution(
            C,
            lambda rows, variant: (
                self.source_RD[rows] @ weights_VDK[variant].astype(self.source_RD.dtype) + bias_VK[variant]
            ),
            gap_KV,
            lambda: (weights_VDK[-1].copy(), bias_VK[-1].copy()),
        )


def _centred(rows_RD: np.ndarray, mean_D: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the root mean squared length of the centred rows, and those rows at length 1: float32."""
    square = 0.0
    for strip in strips(len(rows_RD)):
        centred = rows_RD[strip] - mean_D
        square += float(np.einsum("rd,rd->", centred, centred)) / len(rows_RD)
    scale, centred_RD = float(np.sqrt(square)) or 1.0, np.empty(rows_RD.shape, np.float32)
    for strip in strips(len(rows_RD)):
        centred_RD[strip] = (rows_RD[strip] - mean_D) / scale
    return scale, centred_RD


def _chooser(problems: Problems) -> Callable[[int], tuple[np.ndarray, np.ndarray]]:
    """Return a function that returns the row numbers and the signs of a task: int64 and float64 [N]."""
    signs = problems.signs_RK
    if not isinstance(signs, OneVsOneSigns):

        def of_array(number: int) -> tuple[np.ndarray, np.ndarray]:
            rows_N = np.flatnonzero(signs[:, number])
            return rows_N, signs[rows_N, number].astype(np.float64)

        return of_array
    order_R, ends = signs.order_R, np.cumsum(np.bincount(signs.numbers_R))
    classes = np.split(order_R, ends[:-1])

    def of_pair(number: int) -> tuple[np.ndarray, np.ndarray]:
        first, second = classes[signs.first_P[number]], classes[signs.second_P[number]]
        return np.concatenate([first, second]), np.repeat([1.0, -1.0], [len(first), len(second)])

    return of_pair
