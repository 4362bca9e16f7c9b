"""Query expansion and database-side augmentation: vectors are averaged with their nearest references.

The means are float64, so that nearly equal vectors stay distinct.
"""

import numpy as np

from offshelf.retrieval.arrays import Arrays
from offshelf.retrieval.exact import unit
from offshelf.retrieval.search import nearest


def expanded(
    queries_Q1D: np.ndarray, references_N1D: np.ndarray, count: int, alpha: float, arrays: Arrays
) -> np.ndarray:
    """Average each query with its nearest references, weighted by cosine to the power alpha: float64 [Q, 1, D].

    The results have unit length. A query that is also a reference finds itself, and then counts twice.
    """
    return unit(unit(queries_Q1D) + _neighbours(queries_Q1D, references_N1D, count, alpha, arrays))


def augmented(references_N1D: np.ndarray, count: int, alpha: float, arrays: Arrays) -> np.ndarray:
    """Average each reference with its nearest ones and itself, weighted by cosine ** alpha: float64 [N, 1, D]."""
    return unit(_neighbours(references_N1D, references_N1D, count, alpha, arrays))


def _neighbours(
    vectors_M1D: np.ndarray, references_N1D: np.ndarray, count: int, alpha: float, arrays: Arrays
) -> np.ndarray:
    """Return weighted sums of the nearest references, float64 [M, 1, D]; a cosine below 0 counts as 0."""
    numbers, similarities = nearest(references_N1D, vectors_M1D, min(count, len(references_N1D)), "cosine", arrays)
    weights = (1 + similarities).clip(0) ** alpha
    sums = np.zeros(vectors_M1D.shape)
    for rank in range(numbers.shape[1]):  # rank by rank: all neighbours at once would be `count` times as large
        sums += weights[:, rank, None, None] * unit(references_N1D[numbers[:, rank]])
    return sums
