"""Vectors of queries and of blocks of references, prepared for matrix products.

Axes: Q queries of V vectors, D dimensions; n references of P vectors in a block, q queries of a block.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from offshelf.retrieval.arrays import Arrays, OnCpu
from offshelf.retrieval.frame import Frame

UNBOUNDED = 1e37
"""Largest bound. Products of infinite ones raise a floating-point warning on processors that pad vectors with zeros."""

WIDEST = 1024
"""Vectors of queries in a product on the CPU."""


@dataclass(frozen=True, eq=False)
class Block:
    """Vectors of some references."""

    vectors: Any
    """[n P, D]."""
    squares: Any
    """Summands of the lower bounds: [n P]; None if they are zero, as the queries' hold both."""
    width_n: Any
    """Largest width of the bounds of a reference's squared distances: [n]."""


@dataclass(frozen=True, eq=False)
class Queries:
    """Vectors of queries, scaled so that `block @ vectors.T`, plus a term of the reference, is to be minimised."""

    vectors: Any
    """[Q V, D], times -2."""
    squares: Any
    """Summands of the lower bounds: [Q V]."""
    widths: Any
    """Summands of the distance between the bounds: [Q V]."""
    width: int
    """V."""
    frame: Frame
    arrays: Arrays

    @classmethod
    def of(cls, queries_QVD: np.ndarray, frame: Frame, arrays: Arrays) -> "Queries":
        """Prepare queries in a frame. Raises ConfigError if a number is not finite."""
        with arrays.precisely():
            moved = frame.put(queries_QVD, arrays)
        squares = moved.squares + frame.of_one if frame.is_unit else moved.squares
        return cls(-2 * moved.vectors, squares, moved.widths, queries_QVD.shape[1], frame, arrays)

    def block(self, values_nPD: np.ndarray) -> Block:
        """Prepare references."""
        moved = self.frame.put(values_nPD, self.arrays)
        squares = moved.squares
        if self.frame.is_unit:
            squares = squares - self.frame.of_one if moved.some_hidden else None
        return Block(moved.vectors, squares, self.arrays.most(moved.widths.reshape(len(values_nPD), -1), 1))

    def bounds(self, block: Block) -> Iterator[tuple[int, Any, Any]]:
        """Yield the first query, and lower and upper bounds [n, q], of consecutive queries.

        For queries of one vector, the lower bound is that of the squared distance without their own summand, and the
        upper one is None, because its distance from the lower one depends only on the query and the reference.
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
        """Return the measure of a distance, or of a scale: see Exact."""
        return value if self.frame.distance == "l2" else value**2

    @property
    def count(self) -> int:
        """Number of queries."""
        return len(self.vectors) // self.width

    @property
    def widest(self) -> int:
        """Largest number of vectors in a product."""
        return WIDEST if isinstance(self.arrays, OnCpu) else len(self.vectors)

    def references(self, patches: int) -> int:
        """Return how many references of `patches` vectors make a block: they and the products stay within its size."""
        longest = max(self.vectors.shape[1], min(self.widest, len(self.vectors)))
        return max(1, self.arrays.block // (np.dtype(self.frame.dtype).itemsize * patches * longest))

    def _mean(self, squares: Any) -> Any:
        """Average distances, or for `cosine` their squares, over a query's vectors: [n, q]."""
        squares = squares.clip(0, UNBOUNDED)
        if self.frame.distance == "l2":
            squares = squares**0.5
        grouped = squares.reshape(len(squares), -1, self.width)
        return grouped @ self.arrays.put(np.full(self.width, 1 / self.width), self.frame.dtype)
