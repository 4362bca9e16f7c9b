"""Similarities of some queries to all references: by bounds, and by float64 where these do not decide."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from offshelf.process.cores import usable_cores
from offshelf.retrieval.exact import SINK, Exact

MANY = 1 / 16
"""Share of references to measure singly beyond which products in float64, with far narrower bounds, are faster."""


@dataclass(frozen=True, eq=False)
class Bounds:
    """Lower and upper bounds of the measures (see Exact) of queries to all references."""

    lower_qN: np.ndarray
    divisor: float
    """Divisor of all numbers, from the frame's scale."""
    upper_qN: np.ndarray | None = None
    """Upper bounds; None if they are the lower bounds plus a number of the reference and one of the query."""
    width_N: np.ndarray | None = None
    squares_q: np.ndarray | None = None
    """Summands of the lower bounds."""
    width_q: np.ndarray | None = None

    def of(self, query: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the bounds of one query to all references: float64 [N] each."""
        lower_N = self.lower_qN[query].astype(np.float64)
        if self.upper_qN is not None:
            upper_N = self.upper_qN[query].astype(np.float64)
        else:
            assert self.width_N is not None and self.width_q is not None and self.squares_q is not None
            lower_N += float(self.squares_q[query])
            upper_N = lower_N + self.width_N
            upper_N += float(self.width_q[query])
        lower_N *= SINK / self.divisor
        upper_N *= 1 / SINK / self.divisor
        return lower_N, upper_N


class Similarities:
    """Similarities, which are minus the distances, of q consecutive queries to all references: [q, N].

    `row` returns the numbers that an evaluation needs. Conversion to an array (`numpy.asarray`, or `[number]`) computes
    all of them in float64, which takes far longer.
    """

    def __init__(self, exact: Exact, bounds: Callable[[str], Bounds]) -> None:
        """Take exact measures, and a function for bounds in `float32` (called now) or `float64` (called on demand)."""
        self._exact, self._make = exact, bounds
        self._bounds, self._is_sharp = bounds("float32"), False
        self.shape = self._bounds.lower_qN.shape

    def __len__(self) -> int:
        return int(self.shape[0])

    def __getitem__(self, query: int) -> np.ndarray:
        """Return one query's similarities, float64 [N], from differences in float64."""
        if not -len(self) <= query < len(self):
            raise IndexError(query)
        return self._exact.similarities(self._exact.measures(query, np.arange(self.shape[1])))

    def __iter__(self) -> Iterator[np.ndarray]:
        with ThreadPoolExecutor(len(usable_cores())) as pool:
            yield from pool.map(self.__getitem__, range(len(self)))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(list(self), dtype)

    def row(self, query: int, among: np.ndarray, first: int) -> np.ndarray:
        """Return one query's similarities, float64 [N], that rank `among` and the nearest `first` as float64 does.

        These, and all whose bounds overlap with one of them, are float64's own; the others lie between their bounds.

        Args:
            query: Number of the query.
            among: Distinct row numbers of references.
            first: Number of nearest references that are needed in order.
        """
        measures = self._exact.measures(query, among)
        lower_N, upper_N, unclear = self._unclear(query, np.sort(measures), first)
        if len(unclear) > MANY * self.shape[1] and not self._is_sharp:
            self._bounds, self._is_sharp = self._make("float64"), True
            lower_N, upper_N, unclear = self._unclear(query, np.sort(measures), first)
        found_N = ((lower_N + upper_N) / 2).clip(0)
        unclear = np.setdiff1d(unclear, among, assume_unique=True)
        found_N[among], found_N[unclear] = measures, self._exact.measures(query, unclear)
        return self._exact.similarities(found_N)

    def _unclear(self, query: int, steps: np.ndarray, first: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the bounds of all references, and those that may be among the first or contain a measure of these."""
        lower_N, upper_N = self._bounds.of(query)
        unclear = np.searchsorted(steps, lower_N, "left") != np.searchsorted(steps, upper_N, "right")
        if first:
            last = min(first, self.shape[1]) - 1
            unclear |= lower_N <= np.partition(upper_N, last)[last]
        return lower_N, upper_N, np.flatnonzero(unclear)
