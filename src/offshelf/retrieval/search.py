"""Exact search: distances of sets of vectors by matrix products, block by block over references of any number.

The references may be a memory-mapped array, of float16 too. Beside them the search holds, however many there are, less
than a GiB: the rows of two passes, one of them its reader's, the queries of a pass three times while they are prepared,
and a few blocks a thread.

Axes: N references of P vectors, Q queries of V vectors, D dimensions; n references of a block, q queries of a block.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from offshelf.cores import usable_cores
from offshelf.retrieval.arrays import MIB, Arrays, OnCpu
from offshelf.retrieval.best import Best

ROWS = 256 * MIB
"""Bytes of the rows of distances of one pass over the references."""
VECTORS = 128 * MIB
"""Bytes of the vectors of the queries of one pass."""
WIDEST = 1024
"""Vectors of queries in a product on the CPU."""


def rows(references_NPD: np.ndarray, queries_QVD: np.ndarray, distance: str, arrays: Arrays) -> Iterator[np.ndarray]:
    """Similarities, minus the distances, of consecutive queries to all references: float32 [q, N] each.

    The distance of a query to a reference is the mean over its vectors of the least distance to one of the reference's
    (Razavian et al. 2014, section 4): `l2`, or `cosine`, one minus the cosine, to which a vector of zeros has 1.
    """
    count = max(1, min(ROWS // (4 * len(references_NPD)), VECTORS // (4 * queries_QVD[0].size)))
    for start in range(0, len(queries_QVD), count):
        yield _pass(references_NPD, _Queries.of(queries_QVD[start : start + count], distance, arrays))


def _pass(references_NPD: np.ndarray, queries: "_Queries") -> np.ndarray:
    """Similarities of some queries to all references, float32 [q, N]."""
    found_qN = np.empty((queries.count, len(references_NPD)), np.float32)

    def fill(first: int, block_nPD: Any) -> None:
        for begin, distances_nq in queries.distances(block_nPD):
            count, width = distances_nq.shape
            part = found_qN[begin : begin + width, first : first + count]
            np.negative(queries.arrays.get(distances_nq).T, out=part)

    for _ in _blocks(references_NPD, queries, fill):
        pass
    return found_qN


def nearest(
    references_NPD: np.ndarray, queries_QVD: np.ndarray, count: int, distance: str, arrays: Arrays
) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers, int64, and similarities, float32, of the nearest `count` references, nearest first: [Q, count].

    Of equals the first row is the nearer. What is held does not grow with the number of references. `count` is at most
    N.
    """
    step = max(1, VECTORS // (4 * queries_QVD[0].size))
    found = [
        _pass_nearest(references_NPD, _Queries.of(queries_QVD[start : start + step], distance, arrays), count)
        for start in range(0, len(queries_QVD), step)
    ]
    numbers, distances = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return numbers, -distances


def _pass_nearest(references_NPD: np.ndarray, queries: "_Queries", count: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows and distances of the nearest references of some queries: [q, count]."""
    best = Best(queries.count, count, queries.arrays)

    def choose(first: int, block_nPD: Any) -> list[Any]:
        return [best.candidates(first, begin, distances) for begin, distances in queries.distances(block_nPD)]

    for parts in _blocks(references_NPD, queries, choose):
        for part in parts:
            best.add(*part)
    return best.result()


@dataclass(frozen=True, eq=False)
class _Queries:
    """Vectors of queries, made so that `block @ vectors.T`, plus a term of the reference, is what is minimised."""

    vectors: Any
    """[Q V, D]: of `l2` -2 x, of which |r|² - 2 r x is taken; of `cosine` -x / |x|."""
    squares: Any
    """|x|² [Q V]."""
    width: int
    """V."""
    distance: str
    arrays: Arrays

    @classmethod
    def of(cls, queries_QVD: np.ndarray, distance: str, arrays: Arrays) -> "_Queries":
        vectors = arrays.put(queries_QVD).reshape(-1, queries_QVD.shape[2])
        squares = (vectors * vectors).sum(1)
        if distance == "cosine":
            vectors = vectors * _inverse(squares)[:, None]
        scale = 2 if distance == "l2" else 1
        return cls(-scale * vectors, squares, queries_QVD.shape[1], distance, arrays)

    def distances(self, block_nPD: Any) -> Iterator[tuple[int, Any]]:
        """First query, and distances [n, q], of consecutive queries."""
        references = block_nPD.reshape(-1, block_nPD.shape[2])
        squares = (references * references).sum(1)
        if self.distance == "cosine":
            references = references * _inverse(squares)[:, None]
        step = max(1, self.widest // self.width)
        for begin in range(0, self.count, step):
            part = slice(begin * self.width, (begin + step) * self.width)
            products = references @ self.vectors[part].T
            if self.distance == "l2":
                products += squares[:, None]
            yield begin, self._mean(self._least(products, len(block_nPD)), part)

    @property
    def count(self) -> int:
        """How many."""
        return len(self.vectors) // self.width

    @property
    def widest(self) -> int:
        """Vectors in a product."""
        return WIDEST if isinstance(self.arrays, OnCpu) else len(self.vectors)

    def references(self, patches: int) -> int:
        """How many references of `patches` vectors make a block: neither they nor the products are larger than one."""
        longest = max(self.vectors.shape[1], min(self.widest, len(self.vectors)))
        return max(1, self.arrays.block // (4 * patches * longest))

    def _least(self, products: Any, count: int) -> Any:
        """Over the vectors of each reference: [n, q V]."""
        grouped = products.reshape(count, -1, products.shape[1])
        return self.arrays.least(grouped, 1) if grouped.shape[1] > 1 else products

    def _mean(self, least: Any, part: slice) -> Any:
        if self.distance == "cosine":
            least += 1
        else:
            least += self.squares[part]
            least = least.clip(0) ** 0.5
        return least.reshape(len(least), -1, self.width).mean(2) if self.width > 1 else least


def _inverse(squares: Any) -> Any:
    """One over the length; 0 of a vector of zeros."""
    return (squares > 0) / (squares + (squares == 0)) ** 0.5


def _blocks(references_NPD: np.ndarray, queries: _Queries, work: Any) -> Iterator[Any]:
    """What the work makes of each block of references, in their order; the blocks are shared by the cores.

    Products of one thread each, side by side, take no longer than products that all cores share; and all that comes
    between them is shared too.
    """
    size = queries.references(references_NPD.shape[1])
    starts = range(0, len(references_NPD), size)

    def one(first: int) -> Any:
        return work(first, queries.arrays.put(references_NPD[first : first + size]))

    if not isinstance(queries.arrays, OnCpu):
        yield from map(one, starts)
        return
    threads = len(usable_cores())
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(threads) as pool:
        ahead: list[Any] = []  # so that a million blocks do not wait in memory
        for first in starts:
            ahead.append(pool.submit(one, first))
            if len(ahead) > 2 * threads:
                yield ahead.pop(0).result()
        for task in ahead:
            yield task.result()
