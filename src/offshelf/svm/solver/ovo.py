"""One-vs-one: regularisation paths of thousands of small problems in one Gram matrix, entirely in compiled code.

All pairs of a class share its rows, so that products with the rows are computed class by class. Each pair is solved
along the path of C, and at each C its folds start from the full fit. A problem is solved exactly by a primal-dual
active-set method (`native/active_set.h`), where that fails by SMO (`native/smo.h`), and certified in float64.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from offshelf.svm import native
from offshelf.svm.solver.gram import Gram
from offshelf.svm.solver.problem import EXACT_ROWS, PENALTY, OneVsOneSigns, Problems, RegularizationPath, Solution
from offshelf.svm.solver.threads import run_parallel

PAIRS_PER_JOB = 128
"""Pairs that a thread solves at a time."""
EXACT_GAP = 1e-17
"""Gap that is aimed at where problems are solved to rounding error: that of the active-set method."""
GROUP_VALUES = 1 << 26
"""Most values of β (rows of pairs x variants x values of C) held at a time."""


def solve_path(gram: Gram, problems: Problems, Cs: Sequence[float], tol: float) -> RegularizationPath:
    """Solve all pairs at each C, in groups that fit into memory.

    Args:
        gram: The float64 matrix of the rows in the order of their classes, `signs.order_R`.
        problems: The rows in any order; its `signs_RK` are `OneVsOneSigns`.
        Cs: In ascending order.
        tol: Largest relative duality gap.

    Yields:
        Which pairs, and their solution at one C.
    """
    assert isinstance(problems.signs_RK, OneVsOneSigns)
    solver = _OvoSolver(gram, problems, problems.signs_RK, np.array(Cs, float) * gram.scale**2, tol)
    most = max(1, GROUP_VALUES // (len(Cs) * problems.shape[2]))
    for chosen in solver.groups(most):
        group = solver.group(chosen)
        solved = solver.solve(group)
        for number, C in enumerate(Cs):
            yield chosen, solver.solution(C, group, solved, number)


@dataclass(frozen=True, eq=False)
class _Group:
    """Some pairs. N: the rows of all of them, concatenated; those of the first class of a pair come first."""

    class_starts: np.ndarray
    """The first row of each class, and the number of rows."""
    first_P: np.ndarray
    second_P: np.ndarray
    starts: np.ndarray
    """The first of the N rows of each pair, and N."""

    @cached_property
    def parts(self) -> list[tuple[slice, np.ndarray, np.ndarray]]:
        """For each class: its rows [M], its pairs, and the positions of its β in those, [pairs, M]."""
        parts = []
        for number, (begin, end) in enumerate(zip(self.class_starts[:-1], self.class_starts[1:], strict=True)):
            leads, follows = (np.flatnonzero(part == number) for part in (self.first_P, self.second_P))
            first = np.concatenate([self.starts[leads], self.starts[follows + 1] - (end - begin)])
            if len(first):
                pairs, positions = np.concatenate([leads, follows]), first[:, None] + np.arange(end - begin)
                parts.append((slice(begin, end), pairs, positions))
        return parts


@dataclass(frozen=True, eq=False)
class _Solved:
    """The solutions of a group at all values of C, in all variants."""

    betas_CVN: np.ndarray
    offsets_CVP: np.ndarray
    gaps_CVP: np.ndarray


class _OvoSolver:
    """Problems of few rows each. Axis S: the rows in the order of their classes."""

    def __init__(self, gram: Gram, problems: Problems, signs: OneVsOneSigns, Cs: np.ndarray, tol: float) -> None:
        self.gram, self.signs, self.Cs, self.tol = gram, signs, Cs, tol
        self.is_squared = problems.loss == "squared_hinge"
        weights_RV = problems.weights_RK[:, :1] * problems.members_RV
        self.weights_SV = np.ascontiguousarray(weights_RV[signs.order_R], np.float64)
        self.rank_R = np.argsort(signs.order_R)
        self.class_starts = np.searchsorted(signs.numbers_R[signs.order_R], np.arange(signs.numbers_R.max() + 2))

    def groups(self, most: int) -> Iterator[slice]:
        """Divide the pairs into groups that have at most `most` rows together, or one pair."""
        starts, start = self.group(slice(None)).starts, 0
        while start < len(starts) - 1:
            stop = max(start + 1, int(np.searchsorted(starts, starts[start] + most, "right")) - 1)
            yield slice(start, stop)
            start = stop

    def group(self, chosen: slice) -> _Group:
        """Return some of the pairs."""
        first, second = (
            np.ascontiguousarray(part[chosen], np.int64) for part in (self.signs.first_P, self.signs.second_P)
        )
        sizes = np.diff(self.class_starts)
        return _Group(self.class_starts, first, second, np.concatenate([[0], np.cumsum(sizes[first] + sizes[second])]))

    def solve(self, group: _Group) -> _Solved:
        """Solve at all values of C, in all variants."""
        gram, (rows, variants), pairs = self.gram, self.weights_SV.shape, len(group.first_P)
        is_free = gram.has_free_bias
        betas = np.empty((len(self.Cs), variants, group.starts[-1]))
        offsets, gaps = np.empty((2, len(self.Cs), variants, pairs))
        batch = native.OvoBatch(
            rows=rows, pairs=pairs, variants=variants, values=len(self.Cs),
            products=gram.products_RR, shift=gram.shift_R, kappa=PENALTY if is_free else gram.kappa,
            bias_share=gram.bias_share if is_free else 0.0, has_free_bias=is_free, is_squared=self.is_squared,
            class_starts=group.class_starts, first=group.first_P, second=group.second_P, starts=group.starts,
            weights=self.weights_SV, Cs=self.Cs, tol=self.tol, target_gap=EXACT_GAP if rows <= EXACT_ROWS else self.tol,
            betas=betas, offsets=offsets, gaps=gaps,
        )  # fmt: skip

        def work(start: int) -> None:
            native.ovo_solve(batch, start, min(start + PAIRS_PER_JOB, pairs))

        run_parallel(work, range(0, pairs, PAIRS_PER_JOB))
        return _Solved(betas, offsets, gaps)

    def solution(self, C: float, group: _Group, solved: _Solved, number: int) -> Solution:
        """Return the solution at one value of C, by number."""
        beta_VN, offset_VP = solved.betas_CVN[number], solved.offsets_CVP[number]
        beta_N, offset = beta_VN[-1].copy(), offset_VP[-1].copy()  # a model does not keep the folds alive

        def model() -> tuple[np.ndarray, np.ndarray]:
            return self.gram.uncentre(*self._combine(group, beta_N), offset)

        def decisions(rows: np.ndarray, variant: int) -> np.ndarray:
            return self._decision_values(group, beta_VN[variant], self.rank_R[rows]) + offset_VP[variant].astype(
                np.float32
            )

        return Solution(C, decisions, solved.gaps_CVP[number].T, model)

    def _combine(self, group: _Group, beta_N: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return Σ β x [P, D] and Σ β [P] of each pair: float64."""
        out, total = np.zeros((len(group.first_P), self.gram.centred_RD.shape[1])), np.zeros(len(group.first_P))
        for rows, pairs, positions in group.parts:
            beta = beta_N[positions]
            out[pairs] += beta @ self.gram.centred_RD[rows]
            total[pairs] += beta.sum(axis=1)
        return out, total

    def _decision_values(self, group: _Group, beta_N: np.ndarray, ranks: np.ndarray) -> np.ndarray:
        """Return K β of some rows: float32 [H, P]."""
        shift_S, beta_N = self.gram.shift_R, beta_N.astype(np.float32)
        products_SH = (self.gram.products_RR[:, ranks] + shift_S[:, None]).astype(np.float32)
        out, total = np.zeros((len(group.first_P), len(ranks)), np.float32), np.zeros(len(group.first_P), np.float32)
        for rows, pairs, positions in group.parts:
            beta = beta_N[positions]
            out[pairs] += beta @ products_SH[rows]
            total[pairs] += beta.sum(axis=1)
        if not self.gram.has_free_bias:  # else Σ β = 0
            out += np.outer(total, (shift_S[ranks] + self.gram.kappa).astype(np.float32))
        return out.T
