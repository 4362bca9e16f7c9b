"""One-vs-one: thousands of small problems in one Gram matrix, a pair of classes each, wholly in compiled code.

The rows are sorted by class, so that a pair's rows are two runs of them. Each pair walks over C with all its folds, as
`dual` does for one-vs-rest; a pair's own margins cost nothing beside a product with all rows.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numba import njit

from offshelf.classifier.solver.gram import Gram
from offshelf.classifier.solver.pairs import descend
from offshelf.classifier.solver.problem import COMPACT, MULTIPLIER, STRETCHES, Problems, Solution

ROUNDS = 60
"""Times that the gradient is refreshed, at most."""
STEPS = 50
"""Steps a row in one round, at most."""
CHUNK = 32
"""Pairs a thread takes at a time."""
EXACT = 1e-17
"""The gap that is aimed at where it is to be rounding error."""
WIDTH = 1 << 24
"""Decision values (rows x pairs) held at a time."""

_compiled = njit(nogil=True, cache=True)


def walk(gram: Gram, problems: Problems, Cs: Sequence[float], tol: float) -> Iterator[tuple[slice, Solution]]:
    """Solve all pairs at each C, upwards; `problems.signs_RK` holds a column a pair. See `dual.walk`."""
    pairs = _Pairs(gram, problems, sorted(Cs), tol)
    group = max(1, WIDTH // (problems.shape[0] * problems.shape[2]))
    for start in range(0, problems.shape[1], group):
        chosen = slice(start, min(start + group, problems.shape[1]))
        solved = pairs.solve(chosen)
        for number, C in enumerate(sorted(Cs)):
            yield chosen, pairs.solution(C, solved, number)


@dataclass(frozen=True, eq=False)
class _Solved:
    """All pairs at all values of C; the rows of all pairs in one list."""

    pair_N: np.ndarray
    row_N: np.ndarray
    sign_N: np.ndarray
    betas_CVN: np.ndarray
    offsets_CVP: np.ndarray
    gaps_CVP: np.ndarray


class _Pairs:
    """Problems of few rows each."""

    def __init__(self, gram: Gram, problems: Problems, Cs: Sequence[float], tol: float) -> None:
        self.gram, self.problems, self.tol = gram, problems, tol
        self.Cs = np.array(Cs, float) * gram.scale**2

    def solve(self, chosen: slice) -> _Solved:
        """Some pairs, at all values of C, in all variants."""
        signs_PR = np.ascontiguousarray(self.problems.signs_RK[:, chosen].T)
        pair, row = np.divmod(np.flatnonzero(signs_PR != 0), signs_PR.shape[1])  # np.nonzero takes ten times as long
        starts = np.searchsorted(pair, np.arange(len(signs_PR) + 1))
        y = signs_PR[pair, row].astype(np.float32)
        members = self.problems.weights_RK[:, :1] * self.problems.members_RV
        betas = np.zeros((len(self.Cs), members.shape[1], len(row)))
        offsets, gaps = np.zeros((2, *betas.shape[:2], len(signs_PR)))
        share = self.gram.bias_share if self.gram.is_free else 0.0
        is_squared = self.problems.loss == "squared_hinge"
        is_small = len(self.gram.products_RR) <= COMPACT
        aim = EXACT if is_small else self.tol
        kernel = (self.gram.products_RR, self.gram.shift_R, self.gram.kappa, self.gram.is_free, share)

        def work(first: int) -> None:
            chunk = starts[first : min(first + CHUNK, len(signs_PR)) + 1]
            data = (row, y, members, is_squared, self.Cs, (self.tol, aim))
            _walk_pairs(kernel, data, chunk, first, betas, offsets, gaps)

        with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
            list(pool.map(work, range(0, len(signs_PR), CHUNK)))
        return _Solved(pair, row, y, betas, offsets, gaps)

    def solution(self, C: float, solved: _Solved, number: int) -> Solution:
        """One value of C; with folds, the decision values of the rows they leave out."""
        beta_VN, offset_VP = solved.betas_CVN[number], solved.offsets_CVP[number]
        rows, pairs = len(self.gram.products_RR), offset_VP.shape[1]

        def model() -> tuple[np.ndarray, np.ndarray]:
            total = np.bincount(solved.pair_N, beta_VN[-1], pairs)
            return self.gram.uncentre(self._combine(solved, beta_VN[-1], pairs), total, offset_VP[-1])

        folds = len(beta_VN) - 1
        decisions = np.zeros((rows, pairs, folds), np.float32)
        for fold in range(folds):
            held_out = ~self.problems.members_RV[:, fold]
            beta = np.zeros((rows, pairs), np.float32)
            beta[solved.row_N, solved.pair_N] = beta_VN[fold]
            decisions[held_out, :, fold] = self.gram.decide_single(beta, held_out) + offset_VP[fold]
        gap = solved.gaps_CVP[number].T
        return Solution(C, decisions, gap, model)

    def _combine(self, solved: _Solved, beta_N: np.ndarray, pairs: int) -> np.ndarray:
        """Σ β x of each pair, [P, D], class by class: all pairs of one have the same rows of it."""
        weights = np.zeros((pairs, self.gram.centred_RD.shape[1]))
        for sign in (1, -1):
            mine = solved.sign_N == sign
            pair, row, beta = solved.pair_N[mine], solved.row_N[mine], beta_N[mine]
            starts = np.searchsorted(pair, np.arange(pairs + 1))
            for leader in np.unique(row[starts[:-1]]):
                group = np.flatnonzero(row[starts[:-1]] == leader)
                betas = np.stack([beta[starts[one] : starts[one + 1]] for one in group])
                weights[group] += betas @ self.gram.centred_RD[row[starts[group[0]] : starts[group[0] + 1]]]
        return weights


@_compiled
def _walk_pairs(kernel, data, starts, first, betas, offsets, gaps):  # type: ignore[no-untyped-def]
    rows, y, members, is_squared, Cs, tols = data
    for number in range(len(starts) - 1):
        part = slice(starts[number], starts[number + 1])
        out = (betas[:, :, part], offsets[:, :, first + number], gaps[:, :, first + number])
        _walk_pair(kernel, (rows[part], y[part], members, is_squared, Cs, tols), out)


@_compiled
def _walk_pair(kernel, data, out):  # type: ignore[no-untyped-def]
    products, shift, kappa, is_free, share = kernel
    rows, y, members, is_squared, Cs, tols = data
    size = len(rows)
    K, single = np.empty((size, size)), np.empty((size, size), np.float32)
    for i in range(size):
        for j in range(i + 1):
            K[i, j] = products[rows[i], rows[j]] + (shift[rows[i]] + shift[rows[j]])
            K[j, i] = K[i, j]
            single[i, j] = K[i, j]
            single[j, i] = K[i, j]
    for variant in range(members.shape[1]):
        data_of_variant = (y, members[rows, variant], is_squared, Cs, tols)
        _walk_variant((K, single, kappa, is_free, share), data_of_variant, variant, out)


@_compiled
def _walk_variant(kernel, data, variant, out):  # type: ignore[no-untyped-def]
    K, _, kappa, is_free, _ = kernel
    y, weights, is_squared, Cs, tols = data
    betas, offsets, gaps = out
    beta, offset = np.zeros(len(y)), 0.0
    for c in range(len(Cs)):
        caps = Cs[c] * weights
        e, upper = np.zeros(len(y)), caps.copy()
        if is_squared:
            for i in np.flatnonzero(caps):
                e[i], upper[i] = 0.5 / caps[i], 1e30
        elif c > 0:
            beta *= _factor(K, 0.0 if is_free else kappa, y, beta, Cs[c] / Cs[c - 1])
        multiplier = MULTIPLIER * max(1.0, 1 / Cs[c]) if is_free else kappa
        offset, gap, stretch = _solve_at(kernel, (y, e, caps, upper, is_squared, tols), beta, offset, multiplier)
        betas[c, variant] = stretch * beta
        offsets[c, variant] = stretch * offset
        gaps[c, variant] = gap


@_compiled
def _solve_at(kernel, data, beta, offset, multiplier):  # type: ignore[no-untyped-def]
    """Solve at one C, β in place. Returns b, the gap, and the factor of w with the best primal objective."""
    K, single, kappa, is_free, share = kernel
    y, e, caps, upper, is_squared, (tol, aim) = data
    gap, best, stretch = 1.0, np.inf, 1.0
    e_single, gradient = e.astype(np.float32), np.empty(len(y), np.float32)
    for _ in range(ROUNDS):
        margins = _product(K, 0.0 if is_free else kappa, beta)
        gap, scale, stretch = _gap(margins, offset, share, y, beta, e, caps, is_squared, tol)
        if gap <= aim or (gap <= tol and gap > 0.5 * best):
            break
        best = min(best, gap)
        for i in range(len(y)):
            gradient[i] = margins[i] + offset - y[i] + e[i] * beta[i]
        old = beta.sum()
        descend(single, multiplier, e_single, upper, y, beta, gradient, 0.5 * aim * scale, STEPS * len(y) + 100)
        if is_free:
            offset += multiplier * (beta.sum() - old)
            _balance(beta)
    return offset, gap, stretch


@_compiled
def _factor(K, kappa, y, beta, most):  # type: ignore[no-untyped-def]
    """The best factor of β that the new bounds allow."""
    quadratic = np.dot(beta, _product(K, kappa, beta))
    return min(max(np.dot(y.astype(np.float64), beta) / quadratic, 0.0), most) if quadratic > 0 else 1.0


@_compiled
def _product(K, kappa, beta):  # type: ignore[no-untyped-def]
    out = np.full(len(beta), kappa * beta.sum())
    for j in range(len(beta)):
        if beta[j] != 0:
            for i in range(len(beta)):
                out[i] += beta[j] * K[j, i]
    return out


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
        if is_squared or best - dual <= tol * best:
            break
    gap = max(best - dual, 0.0) / best if best > 0 else 0.0
    return gap, max(dual, best / 4), stretch


@_compiled
def _balance(beta):  # type: ignore[no-untyped-def]
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
