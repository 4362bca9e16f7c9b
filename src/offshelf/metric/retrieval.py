"""Metrics of retrieval as pure functions of the ranks of relevant references.

Each gives one number per query, NaN if nothing is relevant to it; such queries are left out of means. Axes: N
references, Q queries, F relevant references that were found, concatenated over the queries.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

COUNTED = 32
"""Number of relevant references up to which counting is faster than sorting, with 10,000 references and more."""


@dataclass(frozen=True, eq=False)
class Truth:
    """The references that one query should find under one protocol, as disjoint row numbers, sorted int64."""

    relevant: np.ndarray
    ignored: np.ndarray
    """Junk, which is removed from the ranking."""
    missing: int = 0
    """Number of relevant images that are not references: they count as never found."""

    @property
    def n_relevant(self) -> int:
        """Number of relevant images."""
        return len(self.relevant) + self.missing


def positions(scores_N: np.ndarray, truth: Truth) -> np.ndarray:
    """Return ranks of the relevant references by decreasing score, from 0, ascending, int64; the first of equals first.

    Ignored references are removed before ranks are counted. References with score -inf or NaN are not in the ranking.
    Not all references are sorted: those before a few relevant ones are counted; otherwise only those are sorted that
    score at least as high as the last relevant one.
    """
    scores_N = np.array(scores_N)
    scores_N[truth.ignored] = -np.inf
    found = truth.relevant[scores_N[truth.relevant] > -np.inf]
    if len(found) <= COUNTED:
        ranks = [
            np.count_nonzero(scores_N > scores_N[row]) + np.count_nonzero(scores_N[:row] == scores_N[row])
            for row in found
        ]
        return np.sort(np.array(ranks, np.int64))
    is_relevant_N = np.zeros(len(scores_N), bool)
    is_relevant_N[found] = True
    rivals = np.flatnonzero(scores_N >= scores_N[found].min())
    ranked = rivals[np.argsort(-scores_N[rivals], kind="stable")]
    return np.flatnonzero(is_relevant_N[ranked])


@dataclass(frozen=True, eq=False)
class Ranks:
    """The ranks at which Q queries find their relevant references."""

    ranks_F: np.ndarray
    """Ranks, int64, from 0, ascending within a query; ignored references do not count."""
    found_Q: np.ndarray
    """Number of found references of each query: int64."""
    relevant_Q: np.ndarray
    """Number of relevant references of each query: int64, at least `found_Q`."""

    @classmethod
    def of(cls, ranks: Sequence[np.ndarray], truths: Sequence[Truth]) -> "Ranks":
        """Combine the `positions` of each query, and its truth."""
        return cls(
            np.concatenate([np.empty(0, np.int64), *ranks]),
            np.array([len(one) for one in ranks], np.int64),
            np.array([truth.n_relevant for truth in truths], np.int64),
        )

    @cached_property
    def hits(self) -> np.ndarray:
        """Return the number of relevant references that rank before each one: 0, 1, ... within a query; int64 [F]."""
        return np.arange(len(self.ranks_F)) - np.repeat(self.found_Q.cumsum() - self.found_Q, self.found_Q)

    def sums(self, values_F: np.ndarray) -> np.ndarray:
        """Sum values over each query's relevant references: float64 [Q]."""
        queries = np.repeat(np.arange(len(self.found_Q)), self.found_Q)
        return np.bincount(queries, values_F, minlength=len(self.found_Q))

    def within(self, depth_Q: np.ndarray | int) -> np.ndarray:
        """Return the number of relevant references among each query's first `depth`: float64 [Q]."""
        depths = np.broadcast_to(depth_Q, self.found_Q.shape)
        return self.sums(self.ranks_F < np.repeat(depths, self.found_Q))

    def shares(self, parts_Q: np.ndarray, wholes_Q: np.ndarray) -> np.ndarray:
        """Return quotients, float64 [Q]; NaN for a query with nothing relevant."""
        out = np.full(len(self.found_Q), np.nan)
        return np.divide(parts_Q, wholes_Q, out=out, where=self.relevant_Q > 0)


Measure = Callable[[Ranks], np.ndarray]
"""Function to float64 [Q]."""


def average_precision_trapezoid(ranks: Ranks) -> np.ndarray:
    """Return the area under the precision-recall curve by the trapezoid rule, float64 [Q].

    This is `compute_ap` of the Oxford Buildings data set (Philbin et al. 2007), which Paris6k, Holidays and the
    revisited sets use too. Each relevant reference adds the mean of the precisions just before and at it; before the
    first rank precision is 1. References that are not in the ranking add nothing.
    """
    hits, ranked = ranks.hits, ranks.ranks_F
    before = np.where(ranked == 0, 1.0, hits / np.maximum(ranked, 1))
    return ranks.shares(ranks.sums((before + (hits + 1) / (ranked + 1)) / 2), ranks.relevant_Q)


def average_precision_rectangle(ranks: Ranks) -> np.ndarray:
    """Return the mean over the relevant references of the precision at each, float64 [Q].

    This is scikit-learn's `average_precision_score`, except that equal scores are ranked by row.
    """
    return ranks.shares(ranks.sums((ranks.hits + 1) / (ranks.ranks_F + 1)), ranks.relevant_Q)


def precision_at(ranks: Ranks, k: int) -> np.ndarray:
    """Return the relevant share of the first k, or of those up to the last relevant one if that is earlier: [Q].

    This is mP@k of Radenović et al., Revisiting Oxford and Paris (CVPR 2018), as in their `evaluate.py`: with relevant
    references at ranks 0 and 7, precision at 10 is 2/8.
    """
    depth_Q = np.full(len(ranks.found_Q), k)
    whole = np.flatnonzero((ranks.found_Q > 0) & (ranks.found_Q == ranks.relevant_Q))
    last = ranks.found_Q.cumsum()[whole] - 1
    depth_Q[whole] = np.minimum(k, ranks.ranks_F[last] + 1)
    return ranks.shares(ranks.within(depth_Q), depth_Q)


def recall_at(ranks: Ranks, k: int) -> np.ndarray:
    """Return the share of a query's relevant references among the first k: float64 [Q]."""
    return ranks.shares(ranks.within(k), ranks.relevant_Q)


def recall_at_group(ranks: Ranks) -> np.ndarray:
    """Return the relevant share of the first g, the number of a query's relevant references: float64 [Q].

    This R-precision is UKBench's rule for groups of any size.
    """
    return ranks.shares(ranks.within(ranks.relevant_Q), ranks.relevant_Q)


def ns_score(ranks: Ranks) -> np.ndarray:
    """Return UKBench's score (Nistér and Stewénius 2006): relevant ones among the first four, 0 to 4, float64 [Q].

    The query's own row counts as one of its four relevant references. The result is NaN unless every query has four.
    """
    if (ranks.relevant_Q != 4).any():
        return np.full(len(ranks.relevant_Q), np.nan)
    return ranks.within(4)


RETRIEVAL_METRICS: Mapping[str, Measure] = {
    "mAP": average_precision_trapezoid,
    "mAP_rectangle": average_precision_rectangle,
    "mP_at_1": partial(precision_at, k=1),
    "mP_at_5": partial(precision_at, k=5),
    "mP_at_10": partial(precision_at, k=10),
    "recall_at_4": partial(recall_at, k=4),
    "recall_at_group": recall_at_group,
    "ns_score": ns_score,
}
"""Metrics by name; a protocol's number is the mean over its queries."""
