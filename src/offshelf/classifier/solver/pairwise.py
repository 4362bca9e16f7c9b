"""One-vs-one: thousands of small problems in one Gram matrix, a pair of classes each, wholly in compiled code.

All pairs that a class is in share its rows, so that products with the rows are formed class by class. Each pair walks
over C with all its folds, as `dual` does for one-vs-rest; its own margins cost nothing beside a product with all rows.

The compiled code is plain loops: each array expression in it would add to the seconds that its first use takes.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numba import njit

from offshelf.classifier.solver.gram import Gram
from offshelf.classifier.solver.pairs import descend
from offshelf.classifier.solver.problem import COMPACT, MULTIPLIER, STRETCHES, PairSigns, Problems, Solution

ROUNDS = 60
"""Times that the gradient is refreshed, at most."""
STEPS = 50
"""Steps a row in one round, at most."""
CHUNK = 32
"""Pairs a thread takes at a time."""
FAR = 0.1
"""With a larger gap, nothing is to be had from a better factor of w."""
EXACT = 1e-17
"""The gap that is aimed at where it is to be rounding error."""
WIDTH = 1 << 26
"""Decision values (rows x pairs) held at a time."""

_compiled = njit(nogil=True, cache=True)


def walk(gram: Gram, problems: Problems, Cs: Sequence[float], tol: float) -> Iterator[tuple[slice, Solution]]:
    """Solve all pairs at each C, upwards; `problems.signs_RK` are `PairSigns`. See `dual.walk`."""
    assert isinstance(problems.signs_RK, PairSigns)
    rows, pairs, variants = problems.shape
    solver = _Pairs(gram, problems, problems.signs_RK, np.array(sorted(Cs), float) * gram.scale**2, tol)
    group = max(1, WIDTH // (rows * variants))
    for start in range(0, pairs, group):
        chosen = slice(start, min(start + group, pairs))
        solved = solver.solve(chosen)
        for number, C in enumerate(sorted(Cs)):
            yield chosen, solver.solution(C, solved, number)


@dataclass(frozen=True, eq=False)
class _Solved:
    """Some pairs at all values of C. N: the rows of all pairs in one list, those of a pair's first class first."""

    pairs: int
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]]
    """Of each class: its rows [M], the pairs it is in, and where its β in those are, [pairs, M]."""
    betas_CVN: np.ndarray
    offsets_CVP: np.ndarray
    gaps_CVP: np.ndarray


class _Pairs:
    """Problems of few rows each."""

    def __init__(self, gram: Gram, problems: Problems, signs: PairSigns, Cs: np.ndarray, tol: float) -> None:
        self.gram, self.problems, self.signs, self.Cs, self.tol = gram, problems, signs, Cs, tol
        self.order_R = np.argsort(signs.numbers_R, kind="stable")
        """The rows, class by class."""
        self.begins = np.searchsorted(signs.numbers_R[self.order_R], np.arange(signs.numbers_R.max() + 2))

    def solve(self, chosen: slice) -> _Solved:
        """Some pairs, at all values of C, in all variants."""
        first, second = self.signs.first_P[chosen], self.signs.second_P[chosen]
        sizes = np.diff(self.begins)
        places = np.concatenate([[0], np.cumsum(sizes[first] + sizes[second])])
        members = self.problems.weights_RK[:, :1] * self.problems.members_RV
        betas = np.empty((len(self.Cs), members.shape[1], places[-1]))
        offsets, gaps = np.empty((2, *betas.shape[:2], len(first)))
        share = self.gram.bias_share if self.gram.is_free else 0.0
        aim = EXACT if len(self.order_R) <= COMPACT else self.tol
        kernel = (self.gram.products_RR, self.gram.shift_R, self.gram.kappa, self.gram.is_free, share)
        task = (members, self.problems.loss == "squared_hinge", self.Cs, self.tol, aim)

        def work(start: int) -> None:
            pairs = (self.order_R, self.begins, first, second, places, start, min(start + CHUNK, len(first)))
            _walk_pairs(kernel, pairs, task, (betas, offsets, gaps))

        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            list(pool.map(work, range(0, len(first), CHUNK)))
        return _Solved(len(first), self._parts(first, second, places), betas, offsets, gaps)

    def _parts(
        self, first: np.ndarray, second: np.ndarray, places: np.ndarray
    ) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        parts = []
        for number, (begin, end) in enumerate(zip(self.begins[:-1], self.begins[1:], strict=True)):
            leads, follows = np.flatnonzero(first == number), np.flatnonzero(second == number)
            starts = np.concatenate([places[leads], places[follows + 1] - (end - begin)])
            if len(starts):
                pairs, at = np.concatenate([leads, follows]), starts[:, None] + np.arange(end - begin)
                parts.append((self.order_R[begin:end], pairs, at))
        return parts

    def solution(self, C: float, solved: _Solved, number: int) -> Solution:
        """One value of C; with folds, the decision values of the rows they leave out."""
        beta_VN, offset_VP = solved.betas_CVN[number], solved.offsets_CVP[number]

        def model() -> tuple[np.ndarray, np.ndarray]:
            return self.gram.uncentre(*self._combine(solved, beta_VN[-1]), offset_VP[-1])

        folds = len(beta_VN) - 1
        decisions = np.zeros((folds, len(self.order_R), offset_VP.shape[1]), np.float32)
        for fold in range(folds):
            held_out = np.flatnonzero(~self.problems.members_RV[:, fold])
            decisions[fold, held_out] = self._decide(solved, beta_VN[fold], held_out) + offset_VP[fold]
        return Solution(C, np.moveaxis(decisions, 0, -1), solved.gaps_CVP[number].T, model)

    def _combine(self, solved: _Solved, beta_N: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Σ β x [P, D] and Σ β [P] of each pair, float64."""
        out, total = np.zeros((solved.pairs, self.gram.centred_RD.shape[1])), np.zeros(solved.pairs)
        for rows, pairs, places in solved.parts:
            beta = beta_N[places]
            out[pairs] += beta @ self.gram.centred_RD[rows]
            total[pairs] += beta.sum(axis=1)
        return out, total

    def _decide(self, solved: _Solved, beta_N: np.ndarray, held_out: np.ndarray) -> np.ndarray:
        """K β of some rows, in float32: [H, P]."""
        out, total = np.zeros((solved.pairs, len(held_out)), np.float32), np.zeros(solved.pairs)
        shift = self.gram.shift_R
        for rows, pairs, places in solved.parts:
            beta, products = beta_N[places], self.gram.products_RR[np.ix_(rows, held_out)]
            out[pairs] += beta.astype(np.float32) @ (products + shift[rows, None]).astype(np.float32)
            total[pairs] += beta.sum(axis=1)
        if not self.gram.is_free:  # else Σ β = 0
            out += np.outer(total, shift[held_out] + self.gram.kappa)
        return out.T


@_compiled
def _walk_pairs(kernel, pairs, task, out):  # type: ignore[no-untyped-def]
    """Solve some pairs, in all variants, at all values of C."""
    products, shift, kappa, is_free, share = kernel
    order, begins, first, second, places, start, stop = pairs
    members, is_squared, Cs, tol, aim = task
    betas, offsets, gaps = out
    for pair in range(start, stop):
        place, size = places[pair], places[pair + 1] - places[pair]
        rows, y = np.empty(size, np.int64), np.empty(size, np.float32)
        _rows(order, begins, first[pair], second[pair], rows, y)
        K, single = np.empty((size, size)), np.empty((size, size), np.float32)
        _square(products, shift, rows, K, single)
        parts = (K, single, kappa, is_free, share)
        caps, beta = np.empty(size), np.empty(size)
        for variant in range(members.shape[1]):
            offset = 0.0
            for c in range(len(Cs)):
                for i in range(size):
                    caps[i] = Cs[c] * members[rows[i], variant]
                _stretch(K, 0.0 if is_free else kappa, y, beta, Cs[c] / Cs[c - 1] if c else 0.0, is_squared)
                multiplier = MULTIPLIER * max(1.0, 1 / Cs[c]) if is_free else kappa
                offset, gap, factor = _solve_at(parts, (y, caps, is_squared, tol, aim), beta, offset, multiplier)
                for i in range(size):
                    betas[c, variant, place + i] = factor * beta[i]
                offsets[c, variant, pair] = factor * offset
                gaps[c, variant, pair] = gap


@_compiled
def _rows(order, begins, first, second, rows, y):  # type: ignore[no-untyped-def]
    """The rows of two classes, and their signs."""
    middle = begins[first + 1] - begins[first]
    for i in range(len(rows)):
        rows[i] = order[begins[first] + i] if i < middle else order[begins[second] + i - middle]
        y[i] = 1 if i < middle else -1


@_compiled
def _square(products, shift, rows, K, single):  # type: ignore[no-untyped-def]
    """Products of some rows, in both precisions. Of the first class the last pair has left them in the cache."""
    for i in range(len(rows)):
        for j in range(i, len(rows)):
            K[i, j] = products[rows[i], rows[j]] + (shift[rows[i]] + shift[rows[j]])
            K[j, i] = K[i, j]
            single[i, j] = K[i, j]
            single[j, i] = K[i, j]


@_compiled
def _solve_at(kernel, task, beta, offset, multiplier):  # type: ignore[no-untyped-def]
    """Solve at one C, β in place. Returns b, the gap, and the factor of w with the best primal objective."""
    K, single, kappa, is_free, share = kernel
    y, caps, is_squared, tol, aim = task
    size, gap, best, factor = len(y), 1.0, np.inf, 1.0
    e, upper, margins = np.empty(size), np.empty(size), np.empty(size)
    e_single, gradient = np.empty(size, np.float32), np.empty(size, np.float32)
    for i in range(size):
        e[i] = 0.5 / caps[i] if is_squared and caps[i] > 0 else 0.0
        upper[i] = 1e30 if is_squared and caps[i] > 0 else caps[i]
        e_single[i] = e[i]
    for _ in range(ROUNDS):
        _multiply(K, 0.0 if is_free else kappa, beta, margins)
        gap, scale, factor = _gap(margins, offset, share, y, beta, e, caps, is_squared, tol)
        if gap <= aim or (gap <= tol and gap > 0.5 * best):
            break
        best = min(best, gap)
        before, after = 0.0, 0.0
        for i in range(size):
            gradient[i] = margins[i] + offset - y[i] + e[i] * beta[i]
            before += beta[i]
        descend(single, multiplier, e_single, upper, y, beta, gradient, 0.5 * aim * scale, STEPS * size + 100)
        if is_free:
            for i in range(size):
                after += beta[i]
            offset += multiplier * (after - before)
            _balance(beta)
    return offset, gap, factor


@_compiled
def _stretch(K, kappa, y, beta, most, is_squared):  # type: ignore[no-untyped-def]
    """Scale β by the best factor that the new bounds allow; by 0 where there was no C before."""
    linear, quadratic, factor, margins = 0.0, 0.0, 0.0, np.empty(len(beta))
    if most > 0:
        _multiply(K, kappa, beta, margins)
        for i in range(len(beta)):
            linear += y[i] * beta[i]
            quadratic += beta[i] * margins[i]
        factor = 1.0 if is_squared or quadratic <= 0 else min(max(linear / quadratic, 0.0), most)
    for i in range(len(beta)):
        beta[i] = factor * beta[i] if factor > 0 else 0.0


@_compiled
def _multiply(K, kappa, beta, out):  # type: ignore[no-untyped-def]
    """(K + κ11') β."""
    total = 0.0
    for i in range(len(beta)):
        total += beta[i]
    for i in range(len(beta)):
        out[i] = kappa * total
    for j in range(len(beta)):
        if beta[j] != 0:
            row = K[j]
            for i in range(len(beta)):
                out[i] += beta[j] * row[i]


@_compiled
def _gap(margins, offset, share, y, beta, e, caps, is_squared, tol):  # type: ignore[no-untyped-def]
    """Relative gap, the scale of the objectives for what is aimed at, and the factor of w with the best primal one."""
    quadratic, linear, squares = 0.0, 0.0, 0.0
    for i in range(len(y)):
        quadratic += beta[i] * margins[i]
        linear += y[i] * beta[i]
        squares += e[i] * beta[i] * beta[i]
    dual = linear - quadratic / 2 - squares / 2
    norm = quadratic + (offset * offset / share if share > 0 else 0.0)
    best, stretch = np.inf, 1.0
    for factor in STRETCHES:
        primal = factor * factor * norm / 2
        for i in range(len(y)):
            slack = max(1 - factor * y[i] * (margins[i] + offset), 0.0)
            primal += caps[i] * (slack * slack if is_squared else slack)
        if primal < best:
            best, stretch = primal, factor
        if is_squared or best - dual <= tol * best or best - dual > FAR * best:
            break
    gap = max(best - dual, 0.0) / best if best > 0 else 0.0
    return gap, max(dual, best / 4), stretch


@_compiled
def _balance(beta):  # type: ignore[no-untyped-def]
    """Scale down the heavier of the positive and the negative side: Σ β = 0."""
    positive, negative = 0.0, 0.0
    for value in beta:
        positive += max(value, 0.0)
        negative += max(-value, 0.0)
    least = min(positive, negative)
    for i in range(len(beta)):
        if beta[i] > 0:
            beta[i] *= least / positive
        elif beta[i] < 0:
            beta[i] *= least / negative
