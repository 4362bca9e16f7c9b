"""Error bars: how much a metric would differ on other test images of the same kind.

Efron and Tibshirani, An Introduction to the Bootstrap (1993): as many test images as there are, drawn with replacement,
again and again; the interval is between percentiles of the metric over the draws (section 13.3).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from offshelf.errors import ConfigError
from offshelf.metric.metric import METRICS, mean_of_known
from offshelf.metric.outcome import Outcome


@dataclass(frozen=True)
class Interval:
    """Where a number lies with a stated confidence."""

    low: float
    high: float

    @property
    def half(self) -> float:
        """Half of its width: what stands behind a ±."""
        return (self.high - self.low) / 2

    @staticmethod
    def logged(metrics: Mapping[str, float], name: str) -> "Interval | None":
        """That of a test metric among a run's metrics; None where it has none."""
        low, high = (metrics.get(f"test/{name}_{end}") for end in ("low", "high"))
        return None if low is None or high is None else Interval(low, high)


@dataclass(frozen=True)
class Difference:
    """How much better a second classifier is on the same test images."""

    value: float
    interval: Interval
    p_value: float
    """Two-sided: twice the share of draws on which the other one is at least as good; never below 1 / draws."""
    standard_error: float
    """Standard deviation of the difference over the draws."""


@dataclass(frozen=True)
class Bootstrap:
    """A seeded bootstrap over test images; with several folds over those of each, and their mean."""

    replicates: int = 1000
    """Draws; 0 for no error bars."""
    level: float = 0.95
    """Confidence of the intervals."""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.replicates != 0 and self.replicates < 100:
            raise ConfigError(f"bootstrap.replicates is 0 (no error bars) or at least 100; got {self.replicates}.")
        if not 0 < self.level < 1:
            raise ConfigError(f"bootstrap.level is above 0 and below 1; got {self.level}.")

    def interval(self, metric: str, outcomes: Sequence[Outcome]) -> Interval | None:
        """Of a metric's mean over folds; None without replicates, or where the metric is not defined."""
        if not self.replicates:
            return None
        return self._percentiles(self._draws(metric, outcomes))

    def class_intervals(self, metric: str, outcomes: Sequence[Outcome]) -> list[Interval | None]:
        """Of the number for each class of a metric that is a mean over classes: K, on the draws of `interval`.

        With several folds, of its mean over those where it is defined. None as in `interval`.
        """
        if not self.replicates:
            return [None] * outcomes[0].classes
        by_fold_FBK = np.array([METRICS[metric].measure(*drawn) for drawn in self._drawn(outcomes)])
        return [self._percentiles(draws) for draws in mean_of_known(by_fold_FBK, axis=0).T]

    def difference(self, metric: str, first: Sequence[Outcome], second: Sequence[Outcome]) -> Difference | None:
        """The second minus the first, both on the same draws of the same test images, fold by fold.

        The draws in which one of them is not defined are left out; None where none is left.
        """
        values = [np.mean([METRICS[metric](one)[0] for one in outcomes]) for outcomes in (first, second)]
        return self._judged(float(values[1] - values[0]), self._draws(metric, second) - self._draws(metric, first))

    def mean_intervals(self, values_MK: np.ndarray) -> list[Interval | None]:
        """Of K means over M items (queries, say), NaN left out; None without replicates, or where all are NaN.

        The draws are those of M test images in one fold.
        """
        if not self.replicates:
            return [None] * values_MK.shape[1]
        return [self._percentiles(draws) for draws in self._means(values_MK).T]

    def mean_difference(self, first_M: np.ndarray, second_M: np.ndarray) -> Difference | None:
        """The second mean minus the first, over items that have both numbers; None without any, or without draws."""
        gaps_M = second_M - first_M
        if not self.replicates or np.isnan(gaps_M).all():
            return None
        return self._judged(float(np.nanmean(gaps_M)), self._means(gaps_M[:, None])[:, 0])

    def _means(self, values_MK: np.ndarray) -> np.ndarray:
        """Of what is known, on every draw: float64 [replicates, K]."""
        draws_BM = _weights(len(values_MK), self.replicates, self.seed).T.astype(np.float64)
        is_known = ~np.isnan(values_MK)
        sums, counts = draws_BM @ np.where(is_known, values_MK, 0), draws_BM @ is_known
        means_BK: np.ndarray = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
        return means_BK

    def _judged(self, value: float, draws: np.ndarray) -> Difference | None:
        """A difference by its draws, those left out in which it is not defined; None where none is left."""
        interval = self._percentiles(draws)
        if interval is None:
            return None
        draws = draws[~np.isnan(draws)]
        tail = min(float(np.mean(draws <= 0)), float(np.mean(draws >= 0)))
        return Difference(value, interval, min(1.0, max(2 * tail, 1 / len(draws))), float(draws.std()))

    def _draws(self, metric: str, outcomes: Sequence[Outcome]) -> np.ndarray:
        """The metric on every draw: float64 [replicates]."""
        mean: np.ndarray = np.mean([METRICS[metric](*drawn) for drawn in self._drawn(outcomes)], axis=0)
        return mean

    def _drawn(self, outcomes: Sequence[Outcome]) -> Iterator[tuple[Outcome, np.ndarray]]:
        """Each fold's outcome with the weights of its images in the draws."""
        for fold, outcome in enumerate(outcomes):
            yield outcome, _weights(len(outcome.targets), self.replicates, self.seed + fold)

    def _percentiles(self, draws: np.ndarray) -> Interval | None:
        known = draws[~np.isnan(draws)]
        if not len(known):
            return None
        low, high = np.percentile(known, [50 * (1 - self.level), 50 * (1 + self.level)])
        return Interval(float(low), float(high))


@lru_cache(maxsize=4)
def _weights(images: int, replicates: int, seed: int) -> np.ndarray:
    """How often each draw holds each image: uint8 [images, replicates], read-only (255 of one image do not occur)."""
    random = np.random.default_rng(seed)
    counts = np.empty((replicates, images), np.uint8)
    for row in counts:
        row[:] = np.bincount(random.integers(0, images, images), minlength=images)
    weights = np.ascontiguousarray(counts.T)
    weights.flags.writeable = False
    return weights
