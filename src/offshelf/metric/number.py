"""Metrics of predicted numbers. Axes: M test images, B weightings of them."""

import numpy as np

from offshelf.metric.outcome import Outcome

BLOCK = 64
"""Weightings that are ranked at a time: what is in memory is a few times M x BLOCK numbers."""


def r2(outcome: Outcome, weights_MB: np.ndarray) -> np.ndarray:
    """Return the coefficients of determination, 1 - Σ(y - p)² / Σ(y - ȳ)²: float64 [B], NaN if all numbers are equal.

    A constant prediction, the mean of the test images, has 0; a worse one has less.
    """
    truth = outcome.targets - outcome.targets.mean()  # for the digits
    errors_B = _sums(weights_MB, (outcome.targets - outcome.predictions) ** 2)
    total_B = _sums(weights_MB, np.ones(len(truth)))
    spread_B = _sums(weights_MB, truth**2) - _sums(weights_MB, truth) ** 2 / total_B
    is_spread = spread_B > 1e-12 * _sums(weights_MB, truth**2)
    return 1 - np.divide(errors_B, spread_B, out=np.full(len(spread_B), np.nan), where=is_spread)


def mean_absolute_error(outcome: Outcome, weights_MB: np.ndarray) -> np.ndarray:
    """Return the mean absolute errors, in the unit of the numbers: float64 [B]."""
    errors_B = _sums(weights_MB, np.abs(outcome.targets - outcome.predictions))
    return errors_B / _sums(weights_MB, np.ones(len(outcome.targets)))


def spearman(outcome: Outcome, weights_MB: np.ndarray) -> np.ndarray:
    """Return Spearman's rank correlations: float64 [B], NaN where numbers or predictions are all equal.

    It is Pearson's correlation of ranks, equal numbers having the mean of their ranks (Spearman 1904; Kendall, Rank
    Correlation Methods, section 3.7). An image of weight 2 counts as two.
    """
    blocks = [weights_MB[:, start : start + BLOCK] for start in range(0, weights_MB.shape[1], BLOCK)]
    return np.concatenate([_spearman(outcome, block.astype(np.float64)) for block in blocks])


def _spearman(outcome: Outcome, weights_MB: np.ndarray) -> np.ndarray:
    first, second = (_ranks(values, weights_MB) for values in (outcome.targets, outcome.predictions))
    together = (weights_MB * first * second).sum(axis=0)
    norms = np.sqrt((weights_MB * first**2).sum(axis=0) * (weights_MB * second**2).sum(axis=0))
    return np.divide(together, norms, out=np.full(len(norms), np.nan), where=norms > 0)


def _ranks(values_M: np.ndarray, weights_MB: np.ndarray) -> np.ndarray:
    """Return the ranks of each weighting about their mean, (weight + 1) / 2: float64 [M, B], multiples of 1/2."""
    _, place_M = np.unique(values_M, return_inverse=True)
    order = np.argsort(place_M, kind="stable")
    starts = np.searchsorted(place_M[order], np.arange(int(place_M.max()) + 1))
    weights_UB = np.add.reduceat(weights_MB[order], starts, axis=0)
    below_UB = np.cumsum(weights_UB, axis=0) - weights_UB
    ranks: np.ndarray = (below_UB + (weights_UB - weights_MB.sum(axis=0)) / 2)[place_M]
    return ranks


def _sums(weights_MB: np.ndarray, values_M: np.ndarray) -> np.ndarray:
    """Return the weighted sums of values: float64 [B]."""
    sums: np.ndarray = values_M @ weights_MB.astype(np.float64)
    return sums
