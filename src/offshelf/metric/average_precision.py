"""Ranking metrics for several labels: average precision in three variants, and the area under the ROC curve.

Images that do not count for a label (0) are removed from its ranking first. Axes: M test images, B weightings of them,
K labels, R images that count for one, P positive ones among them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from offshelf.metric.outcome import Outcome

LEVELS = 10
"""Number of levels of VOC 2007, which takes precision at recall 0, 1/10, ..., 10/10."""


def average_precisions_11pt(outcome: Outcome, weights_MB: np.ndarray) -> np.ndarray:
    """Return VOC 2007's AP: mean over recall 0, 0.1, ..., 1 of the largest precision from that recall on: [B, K].

    This is the devkit's `VOCevalcls.m`. Among equal scores the first image ranks first. Recall is compared as a
    fraction of integers: 3 of 10 reaches 0.3, unlike in binary floating point.
    """
    return _by_label(outcome, weights_MB, _eleven_points)


def average_precisions_area(outcome: Outcome, weights_MB: np.ndarray) -> np.ndarray:
    """Return the area under the interpolated precision-recall curve, as in VOC from 2010 on: float64 [B, K].

    Precision at a recall is the largest from that recall on. Among equal scores the first image ranks first.
    """
    return _by_label(outcome, weights_MB, _interpolated_area)


def average_precisions_sklearn(outcome: Outcome, weights_MB: np.ndarray) -> np.ndarray:
    """Return the sum of precision times step of recall, not interpolated: float64 [B, K].

    This is scikit-learn's `average_precision_score`: images of equal scores are one step. A label that no image has is
    NaN and left out of the mean, as in the other two; scikit-learn warns and returns 0. A label that every image has is
    1 for any ranking, in all three as in scikit-learn; only the area under the ROC curve is not defined for it.
    """
    return _by_label(outcome, weights_MB, _steps)


def areas_under_roc(outcome: Outcome, weights_MB: np.ndarray) -> np.ndarray:
    """Return the probability that an image with the label scores above one without; ties count half: float64 [B, K]."""
    return _by_label(outcome, weights_MB, _roc)


@dataclass(frozen=True, eq=False)
class Ranking:
    """The R images that count for one label, by decreasing score, the first of equals first."""

    weights_MB: np.ndarray
    """Weights of all images, int32."""
    order_R: np.ndarray
    """Rows of the images."""
    is_positive_R: np.ndarray
    scores_R: np.ndarray

    def sums(self, starts: np.ndarray, stops: np.ndarray, counts_R: np.ndarray) -> np.ndarray:
        """Return the weights of the images that count in disjoint runs of ranks, int64 [runs, B]; runs are in order."""
        from scipy.sparse import csr_array

        ranks = np.flatnonzero(counts_R)
        begin, end = np.searchsorted(ranks, starts), np.searchsorted(ranks, stops)
        inside = np.repeat(begin, end - begin) + _within(end - begin)
        pointers = np.concatenate([[0], (end - begin).cumsum()])
        ones = np.ones(len(inside), np.int32)
        shape = (len(starts), len(self.weights_MB))
        return (csr_array((ones, self.order_R[ranks[inside]], pointers), shape=shape) @ self.weights_MB).astype(
            np.int64
        )

    def up_to(self, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the weights of the positive images, and of all, up to each of these ranks: int64 [len(ends), B]."""
        starts = np.concatenate([[0], ends[:-1] + 1])[: len(ends)]
        hits, seen = (
            self.sums(starts, ends + 1, counts) for counts in (self.is_positive_R, np.ones_like(self.is_positive_R))
        )
        return hits.cumsum(axis=0), seen.cumsum(axis=0)

    def tie_ends(self) -> np.ndarray:
        """Return the last rank of each run of equal scores that contains a positive image."""
        last = np.searchsorted(-self.scores_R, -self.scores_R[self.is_positive_R], side="right") - 1
        return np.unique(last)


def _by_label(outcome: Outcome, weights_MB: np.ndarray, curve: Callable[[Ranking], np.ndarray]) -> np.ndarray:
    return np.stack([curve(ranking) for ranking in _rankings(outcome, weights_MB)], axis=1)


def _rankings(outcome: Outcome, weights_MB: np.ndarray) -> Iterator[Ranking]:
    weights_MB = weights_MB.astype(np.int32)
    for label in range(outcome.classes):
        targets, scores = outcome.targets[:, label], outcome.scores[:, label]
        order = np.argsort(-scores, kind="stable")
        order = order[targets[order] != 0]
        yield Ranking(weights_MB, order, targets[order] > 0, scores[order])


def _eleven_points(ranking: Ranking) -> np.ndarray:
    hits_PB, envelope_PB = _envelope(ranking)
    if not len(hits_PB):
        return np.full(ranking.weights_MB.shape[1], np.nan)
    total = hits_PB[-1]
    area = np.zeros(len(total))
    for level in range(LEVELS + 1):
        reaches = LEVELS * hits_PB >= level * total  # monotonic in the rank
        area += np.take_along_axis(envelope_PB, reaches.argmax(axis=0)[None], 0)[0]
    return np.where(total > 0, area / (LEVELS + 1), np.nan)


def _interpolated_area(ranking: Ranking) -> np.ndarray:
    hits_PB, envelope_PB = _envelope(ranking)
    return _mean_over_hits(np.diff(hits_PB, axis=0, prepend=0), envelope_PB)


def _envelope(ranking: Ranking) -> tuple[np.ndarray, np.ndarray]:
    """Return positives up to each positive image, int64 [P, B], and the largest precision from it on, float64."""
    hits_PB, seen_PB = ranking.up_to(np.flatnonzero(ranking.is_positive_R))
    precision_PB = _precision(hits_PB, seen_PB)
    return hits_PB, np.maximum.accumulate(precision_PB[::-1], axis=0)[::-1]


def _steps(ranking: Ranking) -> np.ndarray:
    hits_PB, seen_PB = ranking.up_to(ranking.tie_ends())
    return _mean_over_hits(np.diff(hits_PB, axis=0, prepend=0), _precision(hits_PB, seen_PB))


def _roc(ranking: Ranking) -> np.ndarray:
    ends = ranking.tie_ends()
    hits_PB, seen_PB = ranking.up_to(ends)
    negatives = ranking.weights_MB[ranking.order_R[~ranking.is_positive_R]].sum(axis=0, dtype=np.int64)
    # For each run of equal scores with a positive image, its own negatives count half.
    starts = np.searchsorted(-ranking.scores_R, -ranking.scores_R[ends])
    tied_PB = ranking.sums(starts, ends + 1, ~ranking.is_positive_R)
    below_PB = negatives - (seen_PB - hits_PB) + tied_PB / 2
    share_PB = np.divide(below_PB, negatives, out=np.full(below_PB.shape, np.nan), where=negatives > 0)
    return _mean_over_hits(np.diff(hits_PB, axis=0, prepend=0), share_PB)


def _precision(hits_PB: np.ndarray, seen_PB: np.ndarray) -> np.ndarray:
    return np.divide(hits_PB, seen_PB, out=np.zeros(hits_PB.shape), where=seen_PB > 0)


def _within(lengths: np.ndarray) -> np.ndarray:
    """Return 0, 1, ... within each of several runs."""
    return np.arange(lengths.sum()) - np.repeat(lengths.cumsum() - lengths, lengths)


def _mean_over_hits(hits_PB: np.ndarray, values_PB: np.ndarray) -> np.ndarray:
    """Return the weighted mean of values over the positive images: [B]; NaN without positive images."""
    total = hits_PB.sum(axis=0)
    sums = (hits_PB * values_PB).sum(axis=0)
    return np.divide(sums, total, out=np.full(len(total), np.nan), where=total > 0)
