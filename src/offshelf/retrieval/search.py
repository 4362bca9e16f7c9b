"""Exact search: bounds of distances by matrix products, and float64 wherever bounds cannot tell.

Products in float32 give each pair a lower and an upper bound that is proven (`frame.Frame`). Where the bounds of two
references overlap and their order matters, both are measured in float64 (`exact.Exact`); so rankings are those of
float64, on near duplicates, far from the origin and with ties, at the price of float32.

The references may be a memory-mapped array, of float16 too. Beside them the search holds, however many there are, less
than a GiB: the rows of two passes, one of them its reader's, the queries of a pass three times while they are prepared,
and a few blocks a thread.

Axes: N references of P vectors, Q queries of V vectors, D dimensions; n references of a block, q queries of a block.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from offshelf.process.cores import usable_cores
from offshelf.retrieval.arrays import MIB, Arrays, OnCpu
from offshelf.retrieval.best import Best
from offshelf.retrieval.exact import Exact
from offshelf.retrieval.frame import Frame
from offshelf.retrieval.similarities import Bounds, Similarities

ROWS = 256 * MIB
"""Bytes of the bounds of one pass over the references."""
VECTORS = 128 * MIB
"""Bytes of the vectors of the queries of one pass."""
WIDEST = 1024
"""Vectors of queries in a product on the CPU."""


def rows(references_NPD: np.ndarray, queries_QVD: np.ndarray, distance: str, arrays: Arrays) -> Iterator[Similarities]:
    """Similarities, minus the distances, of consecutive queries to all references: [q, N] each.

    The distance of a query to a reference is the mean over its vectors of the least distance to one of the reference's
    (Razavian et al. 2014, section 4): `l2`, or `cosine`, one minus the cosine, to which a vector of zeros has 1.

    Raises:
        ConfigError: a number that is not finite.
    """
    frame = Frame.of(references_NPD, queries_QVD, distance)
    kept = 4 * len(references_NPD) * (1 if queries_QVD.shape[1] == 1 else 2)
    count = max(1, min(ROWS // kept, VECTORS // (4 * queries_QVD[0].size)))
    for start in range(0, len(queries_QVD), count):
        asked = queries_QVD[start : start + count]

        def bounds(dtype: str, asked: np.ndarray = asked) -> Bounds:
            return _pass(references_NPD, Queries.of(asked, replace(frame, dtype=dtype), arrays))

        yield Similarities(Exact(references_NPD, asked, distance), bounds)


def _pass(references_NPD: np.ndarray, queries: "Queries") -> Bounds:
    """Bounds of some queries to all references."""
    shape, dtype = (queries.count, len(references_NPD)), queries.frame.dtype
    lower_qN, width_N = np.empty(shape, dtype), np.empty(shape[1], dtype)
    upper_qN = np.empty(shape, dtype) if queries.width > 1 else None
    get = queries.arrays.get

    def fill(first: int, block_nPD: Any) -> None:
        block = queries.block(block_nPD)
        rows = slice(first, first + len(block_nPD))
        width_N[rows] = get(block.width_n)
        for begin, lower_nq, upper_nq in queries.bounds(block):
            part = slice(begin, begin + lower_nq.shape[1])
            lower_qN[part, rows] = get(lower_nq).T
            if upper_qN is not None:
                upper_qN[part, rows] = get(upper_nq).T

    for _ in _blocks(references_NPD, queries, fill):
        pass
    if upper_qN is not None:
        return Bounds(lower_qN, queries.root(queries.frame.scale), upper_qN=upper_qN)
    ends = get(queries.squares), get(queries.widths)
    return Bounds(lower_qN, queries.frame.scale**2, width_N=width_N, squares_q=ends[0], width_q=ends[1])


def nearest(
    references_NPD: np.ndarray, queries_QVD: np.ndarray, count: int, distance: str, arrays: Arrays
) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers, int64, and similarities, float64, of the nearest `count` references, nearest first: [Q, count].

    Of equals the first row is the nearer. What is held does not grow with the number of references. `count` is at most
    N, and a query is one vector, [Q, 1, D].

    Raises:
        ConfigError: a number that is not finite.
    """
    frame = Frame.of(references_NPD, queries_QVD, distance)
    step = max(1, VECTORS // (4 * queries_QVD[0].size))
    found = [
        _pass_nearest(references_NPD, queries_QVD[start : start + step], count, frame, arrays)
        for start in range(0, len(queries_QVD), step)
    ]
    numbers, similarities = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return numbers, similarities


def _pass_nearest(
    references_NPD: np.ndarray, asked_Q1D: np.ndarray, count: int, frame: Frame, arrays: Arrays
) -> tuple[np.ndarray, np.ndarray]:
    """Rows and similarities of the nearest references of some queries: [q, count]."""
    queries, exact = Queries.of(asked_Q1D, frame, arrays), Exact(references_NPD, asked_Q1D, frame.distance)
    best = Best(count, exact, queries)

    def choose(first: int, block_nPD: Any) -> list[Any]:
        block = queries.block(block_nPD)
        return [best.candidates(first, begin, lower, block.width_n) for begin, lower, _ in queries.bounds(block)]

    for parts in _blocks(references_NPD, queries, choose):
        for part in parts:
            best.add(*part)
    return best.result()


@dataclass(frozen=True, eq=False)
class _Block:
    """Vectors of some references."""

    vectors: Any
    """[n P, D]."""
    squares: Any
    """Their part of the lower bounds: [n P]; None for nothing, where the queries' holds that of both."""
    width_n: Any
    """Of the bounds of a reference's squared distances, at most: [n]."""


@dataclass(frozen=True, eq=False)
class Queries:
    """Vectors of queries, made so that `block @ vectors.T`, plus a term of the reference, is what is minimised."""

    vectors: Any
    """[Q V, D], times -2."""
    squares: Any
    """Their part of the lower bounds: [Q V]."""
    widths: Any
    """Their part of the distance of the bounds: [Q V]."""
    width: int
    """V."""
    frame: Frame
    arrays: Arrays

    @classmethod
    def of(cls, queries_QVD: np.ndarray, frame: Frame, arrays: Arrays) -> "Queries":
        """Prepared in a frame. Raises ConfigError: a number that is not finite."""
        with arrays.precisely():
            moved = frame.put(queries_QVD, arrays)
        squares = moved.squares + frame.of_one if frame.is_unit else moved.squares
        return cls(-2 * moved.vectors, squares, moved.widths, queries_QVD.shape[1], frame, arrays)

    def block(self, values_nPD: np.ndarray) -> _Block:
        """References, prepared."""
        moved = self.frame.put(values_nPD, self.arrays)
        squares = moved.squares
        if self.frame.is_unit:
            squares = squares - self.frame.of_one if moved.some_hidden else None
        return _Block(moved.vectors, squares, self.arrays.most(moved.widths.reshape(len(values_nPD), -1), 1))

    def bounds(self, block: _Block) -> Iterator[tuple[int, Any, Any]]:
        """First query, lower and upper bounds [n, q], of consecutive queries.

        Of queries of one vector the lower bound is the squared distance's, their own part left out, and the upper one
        is None: it is as far from the lower one for all of a query and a reference.
        """
        step = max(1, self.widest // self.width)
        for begin in range(0, self.count, step):
            part = slice(begin * self.width, (begin + step) * self.width)
            products = block.vectors @ self.vectors[part].T
            if block.squares is not None:
                products += block.squares[:, None]
            grouped = products.reshape(len(block.width_n), -1, products.shape[1])
            least = self.arrays.least(grouped, 1) if grouped.shape[1] > 1 else products
            if self.width == 1:
                yield begin, least, None
                continue
            least += self.squares[part]
            upper = least + block.width_n[:, None]
            upper += self.widths[part]
            rounding = 1.01 * (self.width + 8) * self.frame.unit
            yield begin, self._mean(least) * (1 - rounding), self._mean(upper) * (1 + rounding)

    def root(self, value: float) -> float:
        """What a measure is of a distance, and a scale with it: see Exact."""
        return value if self.frame.distance == "l2" else value**2

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
        return max(1, self.arrays.block // (np.dtype(self.frame.dtype).itemsize * patches * longest))

    def _mean(self, squares: Any) -> Any:
        """Of the distances, or for `cosine` of their squares, over a query's vectors: [n, q]."""
        squares = squares.clip(0)
        if self.frame.distance == "l2":
            squares = squares**0.5
        grouped = squares.reshape(len(squares), -1, self.width)
        return grouped @ self.arrays.put(np.full(self.width, 1 / self.width), self.frame.dtype)


def _blocks(references_NPD: np.ndarray, queries: Queries, work: Any) -> Iterator[Any]:
    """What the work makes of each block of references, in their order; the blocks are shared by the cores.

    Products of one thread each, side by side, take no longer than products that all cores share; and all that comes
    between them is shared too.
    """
    size = queries.references(references_NPD.shape[1])
    starts = range(0, len(references_NPD), size)

    def one(first: int) -> Any:
        return work(first, references_NPD[first : first + size])

    with queries.arrays.precisely():
        if not isinstance(queries.arrays, OnCpu):
            yield from map(one, starts)
            return
        threads = len(usable_cores())
        with ThreadPoolExecutor(threads) as pool:
            ahead: list[Any] = []  # so that a million blocks do not wait in memory
            for first in starts:
                ahead.append(pool.submit(one, first))
                if len(ahead) > 2 * threads:
                    yield ahead.pop(0).result()
            for task in ahead:
                yield task.result()
