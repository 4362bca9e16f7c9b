"""The nearest references among blocks seen so far."""

from typing import Any

import numpy as np

from offshelf.retrieval.exact import SINK, Exact
from offshelf.retrieval.queries import Queries

CROWD = 4
"""Number of candidates to hold, as a multiple of those requested; beyond it they are measured."""
TINY, LARGEST = float(np.finfo(np.float32).tiny), float(np.finfo(np.float32).max)


class Best:
    """The `count` nearest references of each query; among equals the first row. Blocks must come in order.

    Candidates, which are all that may be among the nearest, are held with lower and upper bounds of their measures
    until `result` measures them in float64.
    """

    def __init__(self, count: int, exact: Exact, queries: Queries) -> None:
        """Take queries, in whose frame bounds are a block's numbers plus a query's square."""
        self.count, self.exact, self.arrays = count, exact, queries.arrays
        ends = (queries.arrays.get(values) for values in (queries.squares, queries.widths))
        self._squares, self._width = (values.astype(np.float64) for values in ends)
        self._divisor = queries.frame.scale**2
        self._queries = queries.count
        self._on_device = self.arrays.put(np.full(self._queries, np.inf, np.float32))
        empty = np.empty(0, np.int64)
        self._found: tuple[np.ndarray, ...] = (empty, empty, np.empty(0), np.empty(0))
        self._waiting: list[tuple[np.ndarray, ...]] = []

    def candidates(self, first: int, begin: int, lower_nq: Any, width_n: Any) -> tuple[np.ndarray, ...]:
        """Return query, row, lower and upper bound of those in a block that may be among the nearest.

        Their lower bound is not above the `count`-th upper bound of some earlier blocks. Threads may call this at any
        time: more blocks only exclude more candidates.
        """
        bound = self._on_device[begin : begin + lower_nq.shape[1]]
        mask = lower_nq <= bound
        if len(lower_nq) > self.count and mask.sum() > 2 * self.count * lower_nq.shape[1]:
            width = self.arrays.put(self._width[begin : begin + lower_nq.shape[1]]) + width_n.max()
            mask &= lower_nq <= self.arrays.nth_least(lower_nq, self.count) + width
        rows, queries = self.arrays.where(mask)
        get = self.arrays.get
        numbers, values, widths = get(queries) + begin, get(lower_nq[rows, queries]), get(width_n[rows])
        lower = values + self._squares[numbers]
        upper = lower + (widths + self._width[numbers])
        return numbers, get(rows) + first, lower * SINK, upper * (1 / SINK)

    def add(self, *candidates: np.ndarray) -> None:
        """Add candidates."""
        self._waiting.append(candidates)
        if sum(len(part[0]) for part in self._waiting) >= self._queries * self.count:
            self._merge()

    def result(self) -> tuple[np.ndarray, np.ndarray]:
        """Return rows, int64, and similarities, float64, nearest first: [queries, count]."""
        self._merge()
        self._measure()
        _, rows, measures, _ = self._found
        shape = (self._queries, self.count)
        return rows.reshape(shape), self.exact.similarities(measures / self._divisor).reshape(shape)

    def _merge(self) -> None:
        self._found = tuple(np.concatenate(part) for part in zip(self._found, *self._waiting, strict=True))
        self._waiting.clear()
        self._narrow()
        if len(self._found[0]) > CROWD * self._queries * self.count:
            self._measure()

    def _narrow(self) -> None:
        """Drop candidates that can no longer be among the nearest, and tighten the bound for the next blocks."""
        queries, _, lower, upper = self._found
        order = _sorted(queries, upper)
        last = order[_within(queries[order]) == self.count - 1]
        ends = np.full(self._queries, np.inf)
        ends[queries[last]] = upper[last] * (1 + 2.0**-22) + TINY  # because they are sorted as float32
        ends[ends > LARGEST] = np.inf
        kept = order[lower[order] <= ends[queries[order]]]
        self._found = tuple(part[kept] for part in self._found)
        with np.errstate(over="ignore"):
            limit = (ends - self._squares).astype(np.float32)
        self._on_device = self.arrays.put(np.nextafter(limit, np.float32(np.inf)))

    def _measure(self) -> None:
        """Measure candidates in float64; keep the nearest of them, in order."""
        queries, rows, _, _ = self._found
        measures = self.exact.of_pairs(queries, rows)
        order = np.lexsort((rows, -self.exact.similarities(measures), queries))
        order = order[_within(queries[order]) < self.count]
        bounds = measures[order] * self._divisor
        self._found = (queries[order], rows[order], bounds, bounds)


def _within(numbers: np.ndarray) -> np.ndarray:
    """Return 0, 1, ... within each run of equal numbers, which are sorted."""
    return np.arange(len(numbers)) - np.searchsorted(numbers, numbers)


def _sorted(queries: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """Sort by query, then by upper bound as float32, whose bits have the same order: one key sorts faster than two."""
    with np.errstate(over="ignore"):
        bits = upper.clip(0).astype(np.float32).view(np.uint32)
    order: np.ndarray = np.argsort(queries.astype(np.uint64) << np.uint64(32) | bits)
    return order
