"""Exact search: bounds of distances by matrix products, and float64 wherever bounds do not decide.

Products in float32 give each pair proven lower and upper bounds (`frame.Frame`). If the bounds of two references
overlap and their order matters, both are measured in float64 (`exact.Exact`). So rankings are those of float64, also
for near duplicates, far from the origin and with ties, at the cost of float32.

The references may be a memory-mapped array, also of float16. In addition the search holds less than a GiB, whatever
their number: the rows of two passes, one of them its reader's, the queries of a pass three times while they are
prepared, and a few blocks per thread.

Axes: N references of P vectors, Q queries of V vectors, D dimensions; n references of a block, q queries of a block.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np

from offshelf.process.cores import usable_cores
from offshelf.retrieval.arrays import MIB, Arrays, OnCpu
from offshelf.retrieval.best import Best
from offshelf.retrieval.exact import Exact
from offshelf.retrieval.frame import Frame
from offshelf.retrieval.queries import Queries
from offshelf.retrieval.similarities import Bounds, Similarities
from offshelf.terminal.progress import Counter, counting

ROWS = 256 * MIB
"""Bytes of the bounds in one pass over the references."""
VECTORS = 128 * MIB
"""Bytes of the query vectors in one pass."""


def rows(references_NPD: np.ndarray, queries_QVD: np.ndarray, distance: str, arrays: Arrays) -> Iterator[Similarities]:
    """Yield similarities, which are minus the distances, of consecutive queries to all references: [q, N] each.

    The distance of a query to a reference is the mean over its vectors of the least distance to one of the reference's
    (Razavian et al. 2014, section 4). It is `l2`, or `cosine`: one minus the cosine, which is 1 for a vector of zeros.

    Raises:
        ConfigError: A number is not finite.
    """
    frame = Frame.of(references_NPD, queries_QVD, distance)
    kept = 4 * len(references_NPD) * (1 if queries_QVD.shape[1] == 1 else 2)
    count = max(1, min(ROWS // kept, VECTORS // (4 * queries_QVD[0].size)))
    for start in range(0, len(queries_QVD), count):
        asked = queries_QVD[start : start + count]

        def bounds(dtype: str, asked: np.ndarray = asked) -> Bounds:
            return _pass(references_NPD, Queries.of(asked, replace(frame, dtype=dtype), arrays))

        yield Similarities(Exact(references_NPD, asked, distance), bounds)


def _pass(references_NPD: np.ndarray, queries: Queries) -> Bounds:
    """Return the bounds of some queries to all references."""
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
    """Return row numbers, int64, and similarities, float64, of the nearest `count` references in order: [Q, count].

    Among equals the first row is the nearer. Memory does not grow with the number of references. `count` is at most N,
    and a query is one vector, [Q, 1, D].

    Raises:
        ConfigError: A number is not finite.
    """
    frame = Frame.of(references_NPD, queries_QVD, distance)
    step = max(1, VECTORS // (4 * queries_QVD[0].size))
    starts = range(0, len(queries_QVD), step)
    with counting("references searched", len(starts) * len(references_NPD)) as counter:
        found = [
            _pass_nearest(references_NPD, queries_QVD[start : start + step], count, frame, arrays, counter)
            for start in starts
        ]
    numbers, similarities = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return numbers, similarities


def _pass_nearest(  # noqa: PLR0913 - what is searched, and who counts
    references_NPD: np.ndarray,
    asked_Q1D: np.ndarray,
    count: int,
    frame: Frame,
    arrays: Arrays,
    counter: Counter,
) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and similarities of the nearest references of some queries: [q, count]."""
    queries, exact = Queries.of(asked_Q1D, frame, arrays), Exact(references_NPD, asked_Q1D, frame.distance)
    best = Best(count, exact, queries)

    def choose(first: int, block_nPD: Any) -> list[Any]:
        block = queries.block(block_nPD)
        return [best.candidates(first, begin, lower, block.width_n) for begin, lower, _ in queries.bounds(block)]

    size = queries.references(references_NPD.shape[1])
    for first, parts in enumerate(_blocks(references_NPD, queries, choose)):
        for part in parts:
            best.add(*part)
        counter.advance(min(size, len(references_NPD) - first * size))
    return best.result()


def _blocks(references_NPD: np.ndarray, queries: Queries, work: Any) -> Iterator[Any]:
    """Yield the result of `work` on each block of references, in order; cores share them, if there are several.

    Single-threaded products in parallel take no longer than products that all cores share, and the operations between
    them are parallel too.
    """
    size = queries.references(references_NPD.shape[1])
    starts = range(0, len(references_NPD), size)

    def one(first: int) -> Any:
        return work(first, references_NPD[first : first + size])

    if len(starts) == 1 and isinstance(queries.arrays, OnCpu):  # a small search takes less time than to begin threads
        yield one(0)
        return
    with queries.arrays.precisely():
        if not isinstance(queries.arrays, OnCpu):
            yield from map(one, starts)
            return
        threads = len(usable_cores())
        with ThreadPoolExecutor(threads) as pool:
            ahead: list[Any] = []  # bounded, so that a million blocks do not wait in memory
            for first in starts:
                ahead.append(pool.submit(one, first))
                if len(ahead) > 2 * threads:
                    yield ahead.pop(0).result()
            for task in ahead:
                yield task.result()
