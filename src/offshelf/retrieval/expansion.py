"""Query expansion and database-side augmentation: vectors become means with their nearest references.

In float64: vectors that are nearly equal stay apart.
"""

import numpy as np

from offshelf.retrieval.arrays import Arrays
from offshelf.retrieval.exact import unit
from offshelf.retrieval.search import nearest


def expanded(
    queries_Q1D: np.ndarray, references_N1D: np.ndarray, count: int, alpha: float, arrays: Arrays
) -> np.ndarray:
    """Each query, and its nearest references with their cosine to the power alpha: unit length, float64 [Q, 1, D].

    A query that is a reference too finds itself: it then has two voices.
    """
    return unit(unit(queries_Q1D) + _neighbours(queries_Q1D, references_N1D, count, alpha, arrays))


def augmented(references_N1D: np.ndarray, count: int, alpha: float, arrays: Arrays) -> np.ndarray:
    """Each reference's nearest ones, itself the first, with their cosine to the power alpha: float64 [N, 1, D]."""
    return unit(_neighbours(references_N1D, references_N1D, count, alpha, arrays))


def _neighbours(
    vectors_M1D: np.ndarray, references_N1D: np.ndarray, count: int, alpha: float, arrays: Arrays
) -> np.ndarray:
    """Weighted sums of the nearest references, float64 [M, 1, D]; a cosine below 0 counts as 0."""
    numbers, similarities = nearest(references_N1D, vectors_M1D, min(count, len(references_N1D)), "cosine", arrays)
    weights = (1 + similarities).clip(0) ** alpha
    sums = np.zeros(vectors_M1D.shape)
    for rank in range(numbers.shape[1]):  # rank by rank: all neighbours at once would be `count` times as large
        sums += weights[:, rank, None, None] * unit(references_N1D[numbers[:, rank]])
    return sums
