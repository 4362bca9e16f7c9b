"""The nearest references of queries, and the shares of their votes.

Axes: Q queries, R references, D dimensions, k neighbours of a query, nearest first, K classes.
"""

from dataclasses import dataclass

import numpy as np

from offshelf.retrieval.arrays import Arrays
from offshelf.retrieval.search import nearest


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The nearest references of each query; of equally near ones that of the first row comes first."""

    rows_Qk: np.ndarray
    """Row numbers of the references: int64."""
    votes_Qk: np.ndarray
    """Weights of the votes, relative to that of the nearest: float64."""

    def class_shares(self, numbers_R: np.ndarray, classes: int, k: int) -> np.ndarray:
        """Return the share of each class in the votes of the first k: float64 [Q, classes].

        The votes of a class are added from the nearest on, so that equal votes have equal shares.
        """
        queries = len(self.rows_Qk)
        cells_Qk = np.arange(queries)[:, None] * classes + numbers_R[self.rows_Qk[:, :k]]
        votes = np.bincount(cells_Qk.ravel(), self.votes_Qk[:, :k].ravel(), minlength=queries * classes)
        return _shares(votes.reshape(queries, classes))

    def label_shares(self, is_positive_R: np.ndarray, k: int) -> np.ndarray:
        """Return the share of a label in the votes of the first k, 0 without any: float64 [Q]."""
        return self.class_shares(is_positive_R.astype(np.int64), 2, k)[:, 1]


def find(
    references_RD: np.ndarray, queries_QD: np.ndarray, count: int, distance: str, arrays: Arrays
) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and similarities of the `count` nearest references, or of all if there are fewer: [Q, count]."""
    return nearest(references_RD[:, None], queries_QD[:, None], min(count, len(references_RD)), distance, arrays)


def voting(rows_Qk: np.ndarray, similarities_Qk: np.ndarray, temperature: float | None) -> Neighbours:
    """Weight neighbours by exp(similarity / temperature), or equally if there is none.

    The weights are divided by that of the nearest, which changes no share and cannot overflow.
    """
    if temperature is None:
        return Neighbours(rows_Qk, np.ones(rows_Qk.shape))
    gaps_Qk = np.minimum(similarities_Qk - similarities_Qk[:, :1], 0)  # rows without a vote may be nearer
    return Neighbours(rows_Qk, np.exp(gaps_Qk / temperature))


def of_others(
    rows_Qk: np.ndarray, similarities_Qk: np.ndarray, is_own_Qk: np.ndarray, temperature: float | None
) -> Neighbours:
    """Weight neighbours as `voting` does, without the query's own rows: they come last, and have no vote."""
    order = np.argsort(is_own_Qk, axis=1, kind="stable")
    rows, similarities, is_own = (np.take_along_axis(part, order, 1) for part in (rows_Qk, similarities_Qk, is_own_Qk))
    found = voting(rows, similarities, temperature)
    return Neighbours(rows, np.where(is_own, 0.0, found.votes_Qk))


def _shares(votes_QK: np.ndarray) -> np.ndarray:
    total_Q1 = votes_QK.sum(axis=1, keepdims=True)
    return np.divide(votes_QK, total_Q1, out=np.zeros(votes_QK.shape), where=total_Q1 > 0)
