"""The precision-recall curve of a retrieval."""

import numpy as np

from offshelf.metric.retrieval import Ranks

STEPS = 100
"""Number of steps of recall from 0 to 1."""


def precision_recall(ranks: Ranks) -> np.ndarray:
    """Return the mean over queries of the largest precision at each recall or beyond: float64 [STEPS + 1].

    Recall is 0, 1 / STEPS, ..., 1, compared as fractions of integers. Precision is 0 at a recall that is not reached.
    Queries with nothing relevant are left out; the result is NaN if no query is left.
    """
    stops = ranks.found_Q.cumsum()
    curves = [
        _one(ranks.ranks_F[stop - found : stop], int(relevant))
        for stop, found, relevant in zip(stops, ranks.found_Q, ranks.relevant_Q, strict=True)
        if relevant
    ]
    return np.mean(curves, axis=0) if curves else np.full(STEPS + 1, np.nan)


def _one(ranks_F: np.ndarray, relevant: int) -> np.ndarray:
    precision = np.arange(1, len(ranks_F) + 1) / (ranks_F + 1)
    envelope = np.zeros(relevant)  # of hit 1, 2, ...
    envelope[: len(ranks_F)] = np.maximum.accumulate(precision[::-1])[::-1]
    hit = -(-np.arange(STEPS + 1) * relevant // STEPS)  # the first hit that reaches a recall
    return envelope[np.maximum(hit, 1) - 1]
