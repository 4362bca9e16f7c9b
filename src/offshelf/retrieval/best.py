"""The nearest references so far, of references that come block by block."""

from typing import Any

import numpy as np

from offshelf.retrieval.arrays import Arrays


class Best:
    """The `count` nearest of each query; of equals the first row. `add` takes blocks in the order of the references."""

    def __init__(self, queries: int, count: int, arrays: Arrays) -> None:
        self.count = count
        self.arrays = arrays
        self._shape = (queries, count)
        self._bound = np.full(queries, np.inf, np.float32)
        self._on_device = arrays.put(self._bound)
        self._found = (np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.float32))
        self._waiting: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def candidates(self, first: int, begin: int, distances_nq: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Query, row and distance of those in a block that may be among the nearest.

        They are below the distance of the `count`-th of some earlier blocks. So threads may ask at any time: what has
        been found meanwhile only lets fewer pass, and a later row never displaces an equal earlier one.
        """
        bound = self._on_device[begin : begin + distances_nq.shape[1]]
        mask = distances_nq < bound
        if len(distances_nq) > self.count and mask.sum() > 2 * self.count * distances_nq.shape[1]:
            mask &= distances_nq <= self.arrays.nth_least(distances_nq, self.count)
        rows, queries = self.arrays.where(mask)
        values = distances_nq[rows, queries]
        get = self.arrays.get
        return get(queries) + begin, get(rows) + first, get(values)

    def add(self, queries: np.ndarray, rows: np.ndarray, distances: np.ndarray) -> None:
        """Take candidates."""
        self._waiting.append((queries, rows, distances))
        if sum(len(part[0]) for part in self._waiting) >= self._shape[0] * self.count:
            self._merge()

    def result(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows, int64, and distances, float32, nearest first: [queries, count]."""
        self._merge()
        _, rows, distances = self._found
        return rows.reshape(self._shape), distances.reshape(self._shape)

    def _merge(self) -> None:
        parts = zip(self._found, *self._waiting, strict=True)
        queries, rows, distances = (np.concatenate(part) for part in parts)
        self._waiting.clear()
        order = np.lexsort((rows, distances, queries))
        order = order[_within(queries[order]) < self.count]
        queries, rows, distances = self._found = (queries[order], rows[order], distances[order])
        full = np.bincount(queries, minlength=self._shape[0]) == self.count
        bound = self._bound.copy()
        bound[full] = distances[_within(queries) == self.count - 1]
        self._bound, self._on_device = bound, self.arrays.put(bound)


def _within(numbers: np.ndarray) -> np.ndarray:
    """0, 1, ... within each run of equal numbers, which are sorted."""
    return np.arange(len(numbers)) - np.searchsorted(numbers, numbers)
