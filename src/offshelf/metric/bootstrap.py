"""Error bars by the bootstrap: the variation of a metric over test images of the same kind.

See Efron and Tibshirani, An Introduction to the Bootstrap (1993). The test images are resampled many times with
replacement; the interval is between percentiles of the metric over the draws (section 13.3).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from offshelf.errors import ConfigError
from offshelf.metric.metric import ALL_METRICS, METRICS, mean_of_known
from offshelf.metric.outcome import Outcome


@dataclass(frozen=True)
class Interval:
    """A confidence interval of a number."""

    low: float
    high: float

    @property
    def half(self) -> float:
        """Half of its width, as written after ±."""
        return (self.high - self.low) / 2

    @staticmethod
    def logged(metrics: Mapping[str, float], name: str) -> "Interval | None":
        """Return the interval of a test metric among a run's metrics; None if there is none."""
        low, high = (metrics.get(f"test/{name}_{end}") for end in ("low", "high"))
        return None if low is None or high is None else Interval(low, high)


@dataclass(frozen=True)
class Difference:
    """The difference of two classifiers on the same test images."""

    value: float
    interval: Interval
    p_value: float
    """Two-sided: twice the share of draws in which the other one is at least as good; at least 1 / draws."""
    standard_error: float
    """Standard deviation of the difference over the draws."""


@dataclass(frozen=True)
class Bootstrap:
    """A seeded bootstrap over test images; with several folds over the images of each, and the mean over folds.

    Where folds test the same images, as draws of training images do, `tests` says so: int [folds], equal numbers for
    the same images in the same order. They are resampled together. By default all folds test different images.

    Where an outcome has groups, such as the images of one patient, these are drawn, each with all of its images: the
    cluster bootstrap (Davison and Hinkley, Bootstrap Methods and Their Application, 1997, section 3.8).
    """

    replicates: int = 1000
    """Number of draws; 0 for no error bars."""
    level: float = 0.95
    """Confidence level of the intervals."""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.replicates != 0 and self.replicates < 100:
            raise ConfigError(f"bootstrap.replicates must be 0 (no error bars) or at least 100; got {self.replicates}.")
        if not 0 < self.level < 1:
            raise ConfigError(f"bootstrap.level must be above 0 and below 1; got {self.level}.")

    def interval(self, metric: str, outcomes: Sequence[Outcome], tests: Sequence[int] | None = None) -> Interval | None:
        """Return the interval of a metric's mean over folds; None without draws, or if the metric is undefined."""
        if not self.replicates:
            return None
        return self._percentiles(self._draws(metric, outcomes, tests))

    def class_intervals(
        self, metric: str, outcomes: Sequence[Outcome], tests: Sequence[int] | None = None
    ) -> list[Interval | None]:
        """Return K intervals for the classes of a metric that is a mean over classes, on the draws of `interval`.

        With several folds they are for the means over those in which the class is defined. None as for `interval`.
        """
        if not self.replicates:
            return [None] * outcomes[0].classes
        return [self._percentiles(draws) for draws in self._class_draws(metric, outcomes, tests).T]

    def difference(
        self,
        metric: str,
        first: Sequence[Outcome],
        second: Sequence[Outcome],
        tests: Sequence[int] | None = None,
    ) -> Difference | None:
        """Return the second metric minus the first, on the same draws of the same test images, fold by fold.

        Draws in which one of them is undefined are left out; the result is None if none is left.
        """
        measure = ALL_METRICS[metric]
        values = [np.mean([measure(one)[0] for one in outcomes]) for outcomes in (first, second)]
        draws = self._draws(metric, second, tests) - self._draws(metric, first, tests)
        return self._judged(float(values[1] - values[0]), draws)

    def class_differences(
        self,
        metric: str,
        first: Sequence[Outcome],
        second: Sequence[Outcome],
        tests: Sequence[int] | None = None,
    ) -> list[Difference | None]:
        """Return K differences, second minus first, of the classes of a metric that is a mean over classes.

        The draws are those of `difference`. None without draws, or where a class has no test images.
        """
        measured = [
            mean_of_known(np.array([METRICS[metric].measure(one, one.once)[0] for one in outcomes]), axis=0)
            for outcomes in (first, second)
        ]
        values_K = measured[1] - measured[0]
        if not self.replicates:
            return [None] * len(values_K)
        draws_BK = self._class_draws(metric, second, tests) - self._class_draws(metric, first, tests)
        return [
            None if np.isnan(value) else self._judged(float(value), draws)
            for value, draws in zip(values_K, draws_BK.T, strict=True)
        ]

    def mean_intervals(self, values_MK: np.ndarray) -> list[Interval | None]:
        """Return intervals of K means over M items (queries, say), without NaN; None without draws, or if all are NaN.

        The draws are those of M test images in one fold.
        """
        if not self.replicates:
            return [None] * values_MK.shape[1]
        return [self._percentiles(draws) for draws in self._means(values_MK).T]

    def mean_difference(self, first_M: np.ndarray, second_M: np.ndarray) -> Difference | None:
        """Return the second mean minus the first, over items with both numbers; None without any, or without draws."""
        gaps_M = second_M - first_M
        if not self.replicates or np.isnan(gaps_M).all():
            return None
        return self._judged(float(np.nanmean(gaps_M)), self._means(gaps_M[:, None])[:, 0])

    def _means(self, values_MK: np.ndarray) -> np.ndarray:
        """Return the means of the defined values on every draw: float64 [replicates, K]."""
        draws_BM = _weights(len(values_MK), self.replicates, self.seed).T.astype(np.float64)
        is_known = ~np.isnan(values_MK)
        sums, counts = draws_BM @ np.where(is_known, values_MK, 0), draws_BM @ is_known
        means_BK: np.ndarray = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
        return means_BK

    def _judged(self, value: float, draws: np.ndarray) -> Difference | None:
        """Return a difference with its draws, except those where it is undefined; None if none is left."""
        interval = self._percentiles(draws)
        if interval is None:
            return None
        draws = draws[~np.isnan(draws)]
        tail = min(float(np.mean(draws <= 0)), float(np.mean(draws >= 0)))
        return Difference(value, interval, min(1.0, max(2 * tail, 1 / len(draws))), float(draws.std()))

    def _draws(self, metric: str, outcomes: Sequence[Outcome], tests: Sequence[int] | None) -> np.ndarray:
        """Return the metric on every draw: float64 [replicates]."""
        measure = ALL_METRICS[metric]
        mean: np.ndarray = np.mean([measure(*drawn) for drawn in self._drawn(outcomes, tests)], axis=0)
        return mean

    def _class_draws(self, metric: str, outcomes: Sequence[Outcome], tests: Sequence[int] | None) -> np.ndarray:
        """Return the metric of each class on every draw, the mean over folds that have it: float64 [replicates, K]."""
        by_fold_FBK = np.array([METRICS[metric].measure(*drawn) for drawn in self._drawn(outcomes, tests)])
        return mean_of_known(by_fold_FBK, axis=0)

    def _drawn(self, outcomes: Sequence[Outcome], tests: Sequence[int] | None) -> Iterator[tuple[Outcome, np.ndarray]]:
        """Yield each fold's outcome with the weights of its images in the draws."""
        for test, outcome in zip(range(len(outcomes)) if tests is None else tests, outcomes, strict=True):
            yield outcome, self._of_groups(outcome, self.seed + test)

    def _of_groups(self, outcome: Outcome, seed: int) -> np.ndarray:
        """Return the weights of the images in the draws, uint8 [M, replicates], equal in a group."""
        if outcome.groups is None:
            return _weights(len(outcome.targets), self.replicates, seed)
        names, numbers = np.unique(outcome.groups, return_inverse=True)
        return _weights(len(names), self.replicates, seed)[numbers]

    def _percentiles(self, draws: np.ndarray) -> Interval | None:
        known = draws[~np.isnan(draws)]
        if not len(known):
            return None
        low, high = np.percentile(known, [50 * (1 - self.level), 50 * (1 + self.level)])
        return Interval(float(low), float(high))


@lru_cache(maxsize=4)
def _weights(images: int, replicates: int, seed: int) -> np.ndarray:
    """Return how often each draw holds each image: uint8 [images, replicates], read-only (255 does not occur)."""
    random = np.random.default_rng(seed)
    counts = np.empty((replicates, images), np.uint8)
    for row in counts:
        row[:] = np.bincount(random.integers(0, images, images), minlength=images)
    weights = np.ascontiguousarray(counts.T)
    weights.flags.writeable = False
    return weights
