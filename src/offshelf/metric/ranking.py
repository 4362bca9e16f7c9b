"""Metrics of rankings, for several labels: average precision in three variants, and the area under the ROC curve.

Images that do not count for a label (0) are taken out of its ranking first. Axes: M test images, B weightings of them,
K labels, P positive images of a label, in the order of the ranking.
"""

from collections.abc import Callable, Iterator

import numpy as np

from offshelf.metric.outcome import Outcome

LEVELS = 10
"""VOC 2007 takes precision at recall 0, 1/10, ..., 10/10."""


def average_precisions_11pt(outcome: Outcome, weights_MB: np.ndarray) -> np.ndarray:
    """VOC 2007's AP: mean over recall 0, 0.1, ..., 1 of the largest precision from that recall on: float64 [B, K].

    The devkit's `VOCevalcls.m`. Of equal scores the first image ranks first. Recall is compared as a fraction of whole
    numbers: 3 of 10 reaches 0.3, which in binary floating point it need not.
    """
    return _by_label(outcome, weights_MB, _eleven_points)


def average_precisions_area(outcome: Outcome, weights_MB: np.ndarray) -> np.ndarray:
    """Area under the interpolated precision-recall curve, as in VOC from 2010 on: float64 [B, K].

    Precision at a recall is the largest from that recall on. Of equal scores the first image ranks first.
    """
    return _by_label(outcome, weights_MB, _interpolated_area)


def average_precisions_sklearn(outcome: Outcome, weights_MB: np.ndarray) -> np.ndarray:
    """Sum of precision times step of recall, not interpolated: float64 [B, K].

    scikit-learn's `average_precision_score`: images of equal scores are one step.
    """
    return _by_label(outcome, weights_MB, _steps)


def areas_under_roc(outcome: Outcome, weights_MB: np.ndarray) -> np.ndarray:
    """Chance that an image with the label scores above one without, equal scores half: float64 [B, K]."""
    return _by_label(outcome, weights_MB, _roc)


Curve = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""A metric [B] of weights [M, B], labels bool [M] and scores [M], sorted by falling scores."""


def _by_label(outcome: Outcome, weights_MB: np.ndarray, curve: Curve) -> np.ndarray:
    columns = [curve(*ranked) for ranked in _rankings(outcome, weights_MB)]
    return np.stack(columns, axis=1)


def _rankings(outcome: Outcome, weights_MB: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    for label in range(outcome.classes):
        targets, scores = outcome.targets[:, label], outcome.scores[:, label]
        order = np.argsort(-scores, kind="stable")
        order = order[targets[order] != 0]
        yield weights_MB[order], targets[order] > 0, scores[order]


def _eleven_points(weights_MB: np.ndarray, is_positive: np.ndarray, _: np.ndarray) -> np.ndarray:
    hits_PB, envelope_PB = _envelope(weights_MB, is_positive)
    if not len(hits_PB):
        return np.full(weights_MB.shape[1], np.nan)
    total = hits_PB[-1]
    area = np.zeros(len(total))
    for level in range(LEVELS + 1):
        reaches = LEVELS * hits_PB >= level * total  # rises with the rank
        area += np.take_along_axis(envelope_PB, reaches.argmax(axis=0)[None], 0)[0]
    return np.where(total > 0, area / (LEVELS + 1), np.nan)


def _interpolated_area(weights_MB: np.ndarray, is_positive: np.ndarray, _: np.ndarray) -> np.ndarray:
    hits_PB, envelope_PB = _envelope(weights_MB, is_positive)
    return _mean_over_hits(np.diff(hits_PB, axis=0, prepend=0), envelope_PB)


def _envelope(weights_MB: np.ndarray, is_positive: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positives up to each positive image, int64 [P, B], and the largest precision from it on: float64 [P, B]."""
    ends = np.flatnonzero(is_positive)
    hits_PB, seen_PB = _up_to(weights_MB, is_positive, ends)
    precision_PB = np.divide(hits_PB, seen_PB, out=np.zeros(hits_PB.shape), where=seen_PB > 0)
    return hits_PB, np.maximum.accumulate(precision_PB[::-1], axis=0)[::-1]


def _steps(weights_MB: np.ndarray, is_positive: np.ndarray, scores: np.ndarray) -> np.ndarray:
    ends = _tie_ends(is_positive, scores)
    hits_PB, seen_PB = _up_to(weights_MB, is_positive, ends)
    precision_PB = np.divide(hits_PB, seen_PB, out=np.zeros(hits_PB.shape), where=seen_PB > 0)
    return _mean_over_hits(np.diff(hits_PB, axis=0, prepend=0), precision_PB)


def _roc(weights_MB: np.ndarray, is_positive: np.ndarray, scores: np.ndarray) -> np.ndarray:
    ends = _tie_ends(is_positive, scores)
    hits_PB, seen_PB = _up_to(weights_MB, is_positive, ends)
    misses_PB = seen_PB - hits_PB
    negatives: np.ndarray = weights_MB[~is_positive].sum(axis=0, dtype=np.int64)
    # Runs of equal scores that hold a positive image; their negatives count half.
    starts = np.searchsorted(-scores, -scores[ends])
    weights_MB = weights_MB * ~is_positive[:, None]
    tied = [weights_MB[a : b + 1].sum(axis=0, dtype=np.int64) for a, b in zip(starts, ends, strict=True)]
    tied_PB = np.array(tied, np.int64).reshape(misses_PB.shape)
    below_PB = negatives - misses_PB + tied_PB / 2
    share_PB = np.divide(below_PB, negatives, out=np.full(below_PB.shape, np.nan), where=negatives > 0)
    return _mean_over_hits(np.diff(hits_PB, axis=0, prepend=0), share_PB)


def _tie_ends(is_positive: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Last row of each run of equal scores that holds a positive image."""
    last = np.searchsorted(-scores, -scores[is_positive], side="right") - 1
    return np.unique(last)


def _up_to(weights_MB: np.ndarray, is_positive: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weight of the positive images, and of all, up to each of the rows `ends`: int64 [len(ends), B]."""
    if not len(ends):
        nothing = np.zeros((0, weights_MB.shape[1]), np.int64)
        return nothing, nothing
    starts = np.concatenate([[0], ends[:-1] + 1])
    upto = weights_MB[: ends[-1] + 1]
    seen = np.add.reduceat(upto, starts, axis=0, dtype=np.int64).cumsum(axis=0)
    hits = np.add.reduceat(upto * is_positive[: ends[-1] + 1, None], starts, axis=0, dtype=np.int64).cumsum(axis=0)
    return hits, seen


def _mean_over_hits(hits_PB: np.ndarray, values_PB: np.ndarray) -> np.ndarray:
    """Mean of values over the positive images, each with its weight: [B]; NaN without positive images."""
    total = hits_PB.sum(axis=0)
    sums = (hits_PB * values_PB).sum(axis=0)
    return np.divide(sums, total, out=np.full(len(total), np.nan), where=total > 0)
