"""Query expansion and database-side augmentation: vectors become means with their nearest references."""

import numpy as np

from offshelf.retrieval.arrays import Arrays
from offshelf.retrieval.search import nearest


def expanded(
    queries_Q1D: np.ndarray, references_N1D: np.ndarray, count: int, alpha: float, arrays: Arrays
) -> np.ndarray:
    """Each query, and its nearest references with their cosine to the power alpha: unit length, float32 [Q, 1, D].

    A query that is a reference too finds itself: it then has two voices.
    """
    queries, references = _unit(queries_Q1D), _unit(references_N1D)
    return _unit(queries + _neighbours(queries, references, count, alpha, arrays))


def augmented(references_N1D: np.ndarray, count: int, alpha: float, arrays: Arrays) -> np.ndarray:
    """Each reference's nearest ones, itself the first, with their cosine to the power alpha: float32 [N, 1, D]."""
    references = _unit(references_N1D)
    return _unit(_neighbours(references, references, count, alpha, arrays))


def _neighbours(
    vectors_M1D: np.ndarray, references_N1D: np.ndarray, count: int, alpha: float, arrays: Arrays
) -> np.ndarray:
    """Weighted sums of the nearest references, float32 [M, 1, D]; a cosine below 0 counts as 0."""
    numbers, similarities = nearest(references_N1D, vectors_M1D, min(count, len(references_N1D)), "cosine", arrays)
    weights = (1 + similarities).clip(0) ** np.float32(alpha)
    sums = np.zeros_like(vectors_M1D)
    for rank in range(numbers.shape[1]):  # rank by rank: all neighbours at once would be `count` times as large
        sums += weights[:, rank, None, None] * references_N1D[numbers[:, rank]]
    return sums


def _unit(values_M1D: np.ndarray) -> np.ndarray:
    """Of unit length; zeros stay."""
    values = values_M1D.astype(np.float32, copy=False)
    length = np.linalg.norm(values, axis=2, keepdims=True)
    return values / np.where(length > 0, length, 1)
