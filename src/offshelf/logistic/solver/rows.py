"""The rows that all problems share, and sums over them.

Products are computed in blocks of rows, the sums of blocks in a fixed order in a fixed number of lanes. A thread takes
whole lanes, with a BLAS of one thread, so that the number of threads changes no digit.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np

from offshelf.logistic.solver.problem import Problems
from offshelf.svm.solver.mapped import is_mapped
from offshelf.svm.solver.threads import run_parallel

BLOCK_ROWS = 1 << 10
LANES = 8
RANK = 1e-13
"""Eigenvalues of the Gram matrix below this share of the largest are rounding errors."""

Totals = tuple[np.ndarray, ...]


class Rows:
    """X in blocks [r, D + 1]: scaled to a root mean squared length of 1, centred for a free bias, its column the last.

    With a free bias centring changes no weights, and the bias by their product with the mean. Memory-mapped rows stay
    on disk: each pass reads them once. Far fewer rows than dimensions are replaced by R coordinates in their span.
    """

    def __init__(self, rows_RD: np.ndarray, problems: Problems, dtype: type[np.floating]) -> None:
        self.source, self.dtype, self.count = rows_RD, dtype, len(rows_RD)
        self.is_free = problems.bias == "free"
        dims = rows_RD.shape[1]
        self.mean_D = self._mean() if self.is_free else np.zeros(dims)
        squares = self._total(lambda block: np.square(block - self.mean_D).sum())
        self.scale = float(np.sqrt(squares / self.count)) or 1.0
        self.column = {"none": 0.0, "free": 1.0, "penalised": problems.intercept_scaling / self.scale}[problems.bias]
        self.span = None if is_mapped(rows_RD) or not 2 * self.count <= dims else self._span()
        self.dims = (self.span[0].shape[1] if self.span else dims) + 1
        self.lanes = _lanes(self.count)
        self.held = None if is_mapped(rows_RD) else self._prepared(slice(0, self.count))

    def block(self, part: slice) -> np.ndarray:
        """Return some rows: [r, D + 1]."""
        return self._prepared(part) if self.held is None else self.held[part]

    def sums(self, work: Callable[[slice, np.ndarray], Totals]) -> Totals:
        """Return the sums over all blocks of what `work` returns for a block: which rows, and [r, D + 1]."""
        return _sums(self.lanes, lambda part: work(part, self.block(part)))

    def score_sums(self, work: Callable[[slice], Totals]) -> Totals:
        """Return the same for work that needs no rows, but scores."""
        return _sums(self.lanes, work)

    def times(self, vectors: np.ndarray) -> np.ndarray:
        """Return scores [B, G, R] of weights [B, G, D + 1]."""
        out = np.empty((*vectors.shape[:2], self.count), self.dtype)
        flat = vectors.reshape(-1, self.dims)

        def work(part: slice, block: np.ndarray) -> Totals:
            out[..., part] = (flat @ block.T).reshape(*vectors.shape[:2], -1)
            return ()

        self.sums(work)
        return out

    def to_features(self, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return weights [B, G, D] and biases [B, G] for the rows as they were given: float64."""
        vectors = vectors.astype(np.float64)
        weights, biases = vectors[..., :-1], vectors[..., -1] * self.column
        if self.span:
            combined = (weights.reshape(-1, self.dims - 1) / self.span[1]) @ self.span[2].T  # rows as a basis
            combined_D = combined @ self.source.astype(np.float64)
            combined_D -= combined.sum(axis=1, keepdims=True) * self.mean_D
            weights = combined_D.reshape(*vectors.shape[:2], -1) / self.scale
        weights = weights / self.scale
        return weights, biases - weights @ self.mean_D

    def from_features(self, weights: np.ndarray, biases: np.ndarray) -> np.ndarray:
        """Return the vectors [B, G, D + 1] of given weights [B, G, D] and biases [B, G]."""
        shifted = biases + weights @ self.mean_D
        scaled = weights * self.scale
        if self.span:
            products = self._scaled(slice(0, self.count), np.float64) @ scaled.reshape(-1, scaled.shape[-1]).T
            scaled = ((self.span[2].T @ products).T / self.span[1]).reshape(*weights.shape[:2], -1)
        last = shifted / self.column if self.column else 0 * shifted
        return np.concatenate([scaled, last[..., None]], axis=2).astype(self.dtype)

    def _mean(self) -> np.ndarray:
        """Return the mean, in a number that has no more digits than the rows, so that differences to it are exact."""
        mean = self._total(lambda block: block.sum(axis=0)) / self.count
        return mean.astype(np.result_type(self.source, np.float32)).astype(np.float64)

    def _total(self, work: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        parts = _lanes(self.count)
        return _sums(parts, lambda part: (np.asarray(work(self.source[part].astype(np.float64))),))[0]

    def _scaled(self, part: slice, dtype: type[np.floating]) -> np.ndarray:
        values = self.source[part].astype(np.result_type(self.source, dtype))
        if self.is_free:
            values -= self.mean_D.astype(values.dtype)
        values *= values.dtype.type(1 / self.scale)
        return values.astype(dtype, copy=False)

    def _span(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return coordinates [R, N] of the rows in N orthogonal directions, their lengths [N], and unit vectors."""
        from scipy.linalg import eigh

        rows = self._scaled(slice(0, self.count), np.float64)
        values, vectors = eigh(rows @ rows.T)
        kept = values > RANK * max(values[-1], np.finfo(float).tiny)
        kept[-1] = True
        lengths = np.sqrt(np.maximum(values[kept], np.finfo(float).tiny))
        return vectors[:, kept] * lengths, lengths, vectors[:, kept]

    def _prepared(self, part: slice) -> np.ndarray:
        out = np.empty((part.stop - part.start, self.dims), self.dtype)
        out[:, :-1] = self.span[0][part] if self.span else self._scaled(part, self.dtype)
        out[:, -1] = self.column
        return out


def exact_sums(rows_RD: np.ndarray, work: Callable[[slice, np.ndarray], Totals]) -> Totals:
    """Return the sums over blocks of the rows in float64 of what `work` returns for a block."""
    return _sums(_lanes(len(rows_RD)), lambda part: work(part, rows_RD[part].astype(np.float64)))


def _lanes(count: int) -> list[list[slice]]:
    """Divide the rows into blocks, and these into lanes of neighbours."""
    parts = [slice(start, min(start + BLOCK_ROWS, count)) for start in range(0, count, BLOCK_ROWS)]
    bounds = np.linspace(0, len(parts), min(LANES, len(parts)) + 1).astype(int)
    return [parts[first:last] for first, last in pairwise(bounds)]


def _sums(lanes: list[list[slice]], work: Callable[[slice], Totals]) -> Totals:
    def lane(parts: list[slice]) -> Totals:
        return _added(work(part) for part in parts)

    return _added(iter(run_parallel(lane, lanes)))


def _added(each: Iterator[Totals]) -> Totals:
    total = next(each)
    for more in each:
        total = tuple(one + other for one, other in zip(total, more, strict=True))
    return total
