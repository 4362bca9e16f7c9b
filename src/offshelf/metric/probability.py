"""Metrics of probabilities: of the true class, and of how often a class is the true one.

The scores of an outcome are probabilities of classes here. Axes: M test images, B weightings of them, K classes.

For several labels each label is a binary problem of the images that count for it, NaN if none does.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from offshelf.metric.outcome import Outcome

BINS = 15
"""Number of bins of equal width, (0, 1/15] to (14/15, 1] (Guo et al., ICML 2017, section 4); 0 is in the first."""

LEAST = float(np.finfo(np.float64).eps)
"""Smallest probability, and one minus the largest, that a logarithm is taken of, as in scikit-learn's `log_loss`."""


@dataclass(frozen=True, eq=False)
class Reliability:
    """What a confidence is worth: test images by bins of their confidence (Guo et al., ICML 2017, equations 2 and 3).

    The confidence is the probability of the most probable class, the first of equals, and a share of the images have
    that class. For a label it is the label's probability, and a share of the images have it.
    """

    counts: np.ndarray
    """Number of images of each bin: int64 [BINS]."""
    confidences: np.ndarray
    """Their mean confidence: float64 [BINS], NaN without images."""
    shares: np.ndarray
    """The share that comes true: float64 [BINS], NaN without images."""


def log_losses(outcome: Outcome, weights_MB: np.ndarray) -> np.ndarray:
    """Return minus the mean logarithm of the true class's probability: float64 [B]."""
    true_M = outcome.scores[np.arange(len(outcome.targets)), outcome.targets]
    return _means(-np.log(true_M.clip(LEAST, 1 - LEAST)), weights_MB)


def brier_scores(outcome: Outcome, weights_MB: np.ndarray) -> np.ndarray:
    """Return the mean squared distance of probabilities from the truth: float64 [B].

    The squares are summed over classes (Brier, Monthly Weather Review 1950), so that it is between 0 and 2: for two
    classes twice the score of one class.
    """
    gaps_MK = outcome.scores.copy()
    gaps_MK[np.arange(len(outcome.targets)), outcome.targets] -= 1
    return _means((gaps_MK**2).sum(axis=1), weights_MB)


def calibration_errors(outcome: Outcome, weights_MB: np.ndarray) -> np.ndarray:
    """Return the expected calibration error: float64 [B].

    The mean, over bins with the shares of images as weights, of the distance of the share that comes true from the
    mean confidence.
    """
    surplus_M = (outcome.predictions == outcome.targets) - outcome.scores.max(axis=1)
    return _binned(surplus_M, bins_of(outcome.scores.max(axis=1)), weights_MB) / weights_MB.sum(axis=0, dtype=np.int64)


def label_log_losses(outcome: Outcome, weights_MB: np.ndarray) -> np.ndarray:
    """Return minus the mean logarithm of the probability of the truth, for each label: float64 [B, K]."""
    true_MK = np.where(outcome.targets > 0, outcome.scores, 1 - outcome.scores)
    return _label_means(-np.log(true_MK.clip(LEAST, 1 - LEAST)), outcome, weights_MB)


def label_brier_scores(outcome: Outcome, weights_MB: np.ndarray) -> np.ndarray:
    """Return the mean squared distance of each label's probability from 1 or 0: float64 [B, K], between 0 and 1."""
    return _label_means((outcome.scores - (outcome.targets > 0)) ** 2, outcome, weights_MB)


def label_calibration_errors(outcome: Outcome, weights_MB: np.ndarray) -> np.ndarray:
    """Return the expected calibration error of each label, by its probability: float64 [B, K]."""
    counts_MK = outcome.targets != 0
    columns = []
    for label, scores_M in enumerate(outcome.scores.T):
        counts = counts_MK[:, label]
        surplus = (outcome.targets[counts, label] > 0) - scores_M[counts]
        total = weights_MB[counts].sum(axis=0, dtype=np.int64)
        errors = _binned(surplus, bins_of(scores_M[counts]), weights_MB[counts])
        columns.append(np.divide(errors, total, out=np.full(len(total), np.nan), where=total > 0))
    return np.stack(columns, axis=1)


def bins_of(confidences_M: np.ndarray) -> np.ndarray:
    """Return the number of the bin of each confidence: int64 [M]."""
    return (np.searchsorted(np.linspace(0, 1, BINS + 1), confidences_M) - 1).clip(0, BINS - 1)


def reliability(outcomes: Sequence[Outcome]) -> list[Reliability]:
    """Return one diagram for the test images of all folds together; for several labels one per label."""
    targets = np.concatenate([outcome.targets for outcome in outcomes])
    scores = np.concatenate([outcome.scores for outcome in outcomes])
    if targets.ndim == 1:
        return [_diagram(scores.max(axis=1), scores.argmax(axis=1) == targets)]
    counted = [column != 0 for column in targets.T]
    return [_diagram(scores[counts, label], targets[counts, label] > 0) for label, counts in enumerate(counted)]


def _diagram(confidences_M: np.ndarray, comes_true_M: np.ndarray) -> Reliability:
    bins = bins_of(confidences_M)
    counts = np.bincount(bins, minlength=BINS)
    means = [
        np.divide(np.bincount(bins, values, BINS), counts, out=np.full(BINS, np.nan), where=counts > 0)
        for values in (confidences_M, comes_true_M.astype(np.float64))
    ]
    return Reliability(counts, *means)


def _binned(surplus_M: np.ndarray, bins_M: np.ndarray, weights_MB: np.ndarray) -> np.ndarray:
    """Return the sum over bins of the absolute sum of the surplus of its images: float64 [B]."""
    sums_B = np.zeros(weights_MB.shape[1])
    for number in np.unique(bins_M):
        rows = bins_M == number
        sums_B += np.abs(surplus_M[rows] @ weights_MB[rows])
    return sums_B


def _means(values_M: np.ndarray, weights_MB: np.ndarray) -> np.ndarray:
    means_B: np.ndarray = values_M @ weights_MB / weights_MB.sum(axis=0, dtype=np.int64)
    return means_B


def _label_means(values_MK: np.ndarray, outcome: Outcome, weights_MB: np.ndarray) -> np.ndarray:
    counts_MK, weights_BM = outcome.targets != 0, weights_MB.T.astype(np.float64)
    sums_BK, totals_BK = weights_BM @ np.where(counts_MK, values_MK, 0), weights_BM @ counts_MK
    means_BK: np.ndarray = np.divide(sums_BK, totals_BK, out=np.full(sums_BK.shape, np.nan), where=totals_BK > 0)
    return means_BK
