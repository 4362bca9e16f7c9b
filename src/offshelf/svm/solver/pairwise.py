"""One-vs-one: thousands of small problems in one Gram matrix, a pair of classes each, wholly in compiled code.

All pairs that a class is in share its rows, so that products with the rows are formed class by class. Each pair walks
over C, and at each C its folds start from the whole. It is solved exactly, as a primal-dual active set (`active.h`); by
greedy pairs (`pairs.h`) where that fails; and certified in float64.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from offshelf.svm import native
from offshelf.svm.solver.gram import Gram
from offshelf.svm.solver.problem import COMPACT, MULTIPLIER, PairSigns, Problems, Solution
from offshelf.svm.solver.threads import side_by_side

CHUNK = 128
"""Pairs a thread takes at a time."""
EXACT = 1e-17
"""The gap that is aimed at where it is to be rounding error."""
WIDTH = 1 << 26
"""β (rows of pairs x variants x values of C) held at a time."""


def walk(gram: Gram, problems: Problems, Cs: Sequence[float], tol: float) -> Iterator[tuple[slice, Solution]]:
    """Solve all pairs at each C, upwards; see `dual.walk`.

    Args:
        gram: Of the rows in the order of their classes, `signs.order_R`, in float64.
        problems: The rows in any order; its `signs_RK` are `PairSigns`.
        Cs: Values of C.
        tol: Largest relative duality gap.
    """
    assert isinstance(problems.signs_RK, PairSigns)
    solver = _Pairs(gram, problems, problems.signs_RK, np.array(sorted(Cs), float) * gram.scale**2, tol)
    most = max(1, WIDTH // (len(Cs) * problems.shape[2]))
    for chosen in solver.groups(most):
        group = solver.group(chosen)
        solved = solver.solve(group)
        for number, C in enumerate(sorted(Cs)):
            yield chosen, solver.solution(C, group, solved, number)


@dataclass(frozen=True, eq=False)
class _Group:
    """Some pairs. N: the rows of all of them in one list, those of a pair's first class first."""

    begins: np.ndarray
    """The first row of each class, and the end."""
    first_P: np.ndarray
    second_P: np.ndarray
    places: np.ndarray
    """Where each pair begins in the list, and the end."""

    @cached_property
    def parts(self) -> list[tuple[slice, np.ndarray, np.ndarray]]:
        """Of each class: its rows [M], the pairs it is in, and where its β in those are, [pairs, M]."""
        parts = []
        for number, (begin, end) in enumerate(zip(self.begins[:-1], self.begins[1:], strict=True)):
            leads, follows = (np.flatnonzero(part == number) for part in (self.first_P, self.second_P))
            starts = np.concatenate([self.places[leads], self.places[follows + 1] - (end - begin)])
            if len(starts):
                pairs, at = np.concatenate([leads, follows]), starts[:, None] + np.arange(end - begin)
                parts.append((slice(begin, end), pairs, at))
        return parts


@dataclass(frozen=True, eq=False)
class _Solved:
    """A group at all values of C, in all variants."""

    betas_CVN: np.ndarray
    offsets_CVP: np.ndarray
    gaps_CVP: np.ndarray


class _Pairs:
    """Problems of few rows each. Rows are numbered in the order of their classes, S."""

    def __init__(self, gram: Gram, problems: Problems, signs: PairSigns, Cs: np.ndarray, tol: float) -> None:
        self.gram, self.signs, self.Cs, self.tol = gram, signs, Cs, tol
        self.is_squared = problems.loss == "squared_hinge"
        weights_RV = problems.weights_RK[:, :1] * problems.members_RV
        self.weights_SV = np.ascontiguousarray(weights_RV[signs.order_R], np.float64)
        self.rank_R = np.argsort(signs.order_R)
        self.begins = np.searchsorted(signs.numbers_R[signs.order_R], np.arange(signs.numbers_R.max() + 2))

    def groups(self, most: int) -> Iterator[slice]:
        """Pairs whose rows are, together, at most so many; a pair of more by itself."""
        places, start = self.group(slice(None)).places, 0
        while start < len(places) - 1:
            stop = max(start + 1, int(np.searchsorted(places, places[start] + most, "right")) - 1)
            yield slice(start, stop)
            start = stop

    def group(self, chosen: slice) -> _Group:
        """Some of the pairs."""
        first, second = (
            np.ascontiguousarray(part[chosen], np.int64) for part in (self.signs.first_P, self.signs.second_P)
        )
        sizes = np.diff(self.begins)
        return _Group(self.begins, first, second, np.concatenate([[0], np.cumsum(sizes[first] + sizes[second])]))

    def solve(self, group: _Group) -> _Solved:
        """All values of C, in all variants."""
        gram, (rows, variants), pairs = self.gram, self.weights_SV.shape, len(group.first_P)
        betas = np.empty((len(self.Cs), variants, group.places[-1]))
        offsets, gaps = np.empty((2, len(self.Cs), variants, pairs))
        task = native.Walk(
            rows=rows, pairs=pairs, variants=variants, values=len(self.Cs),
            products=gram.products_RR, shift=gram.shift_R, kappa=MULTIPLIER if gram.is_free else gram.kappa,
            share=gram.bias_share if gram.is_free else 0.0, is_free=gram.is_free, is_squared=self.is_squared,
            begins=group.begins, first=group.first_P, second=group.second_P, places=group.places,
            weights=self.weights_SV, Cs=self.Cs, tol=self.tol, aim=EXACT if rows <= COMPACT else self.tol,
            betas=betas, offsets=offsets, gaps=gaps,
        )  # fmt: skip

        def work(start: int) -> None:
            native.walk_pairs(task, start, min(start + CHUNK, pairs))

        side_by_side(work, range(0, pairs, CHUNK))
        return _Solved(betas, offsets, gaps)

    def solution(self, C: float, group: _Group, solved: _Solved, number: int) -> Solution:
        """One value of C."""
        beta_VN, offset_VP = solved.betas_CVN[number], solved.offsets_CVP[number]
        whole, offset = beta_VN[-1].copy(), offset_VP[-1].copy()  # a model does not keep the folds alive

        def model() -> tuple[np.ndarray, np.ndarray]:
            return self.gram.uncentre(*self._combine(group, whole), offset)

        def decisions(rows: np.ndarray, variant: int) -> np.ndarray:
            return self._decide(group, beta_VN[variant], self.rank_R[rows]) + offset_VP[variant].astype(np.float32)

        return Solution(C, decisions, solved.gaps_CVP[number].T, model)

    def _combine(self, group: _Group, beta_N: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Σ β x [P, D] and Σ β [P] of each pair, float64."""
        out, total = np.zeros((len(group.first_P), self.gram.centred_RD.shape[1])), np.zeros(len(group.first_P))
        for rows, pairs, places in group.parts:
            beta = beta_N[places]
            out[pairs] += beta @ self.gram.centred_RD[rows]
            total[pairs] += beta.sum(axis=1)
        return out, total

    def _decide(self, group: _Group, beta_N: np.ndarray, ranks: np.ndarray) -> np.ndarray:
        """K β of some rows, in float32: [H, P]."""
        shift_S, beta_N = self.gram.shift_R, beta_N.astype(np.float32)
        products_SH = (self.gram.products_RR[:, ranks] + shift_S[:, None]).astype(np.float32)
        out, total = np.zeros((len(group.first_P), len(ranks)), np.float32), np.zeros(len(group.first_P), np.float32)
        for rows, pairs, places in group.parts:
            beta = beta_N[places]
            out[pairs] += beta @ products_SH[rows]
            total[pairs] += beta.sum(axis=1)
        if not self.gram.is_free:  # else Σ β = 0
            out += np.outer(total, (shift_S[ranks] + self.gram.kappa).astype(np.float32))
        return out.T
