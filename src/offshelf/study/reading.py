"""Numbers of a tracked run, computed again from its predictions, or from its table of queries."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np

from offshelf.errors import ConfigError, TrackingError
from offshelf.metric import METRICS, Bootstrap, Interval, mean_of_known
from offshelf.report import Predictions, query_values, read_predictions
from offshelf.study.study import Column
from offshelf.suggest import did_you_mean
from offshelf.tracking.mlflow.reading import TrackedRun


@dataclass(frozen=True)
class Number:
    """A measured number in percent."""

    value: float | None
    """The percentage; None if it is not defined, as for a class without test images."""
    interval: Interval | None
    """Bootstrap interval over test images, or queries."""
    run: str
    """Id of the run."""

    @property
    def half(self) -> float | None:
        """Half of the width of the interval."""
        return None if self.interval is None else self.interval.half


class Reading:
    """Reader of the numbers of a run; each metric is resampled once for all classes."""

    def __init__(self, run: TrackedRun, bootstrap: Bootstrap) -> None:
        """Read nothing yet."""
        self.run, self.bootstrap = run, bootstrap
        self._of_classes = cache(self._resample_classes)
        self._of_all = cache(self._resample)

    @cached_property
    def predictions(self) -> Predictions:
        """Predictions of a classification. Raises TrackingError if none were kept."""
        return read_predictions(_text(self.run, "predictions.csv"))

    def number(self, column: Column) -> Number:
        """Return the number that a column asks for.

        Raises:
            ConfigError: the run has no such class or metric, or the metric is for another kind of labels.
            TrackingError: the run kept no predictions, or as a retrieval no table of queries.
        """
        if column.of_queries:
            return self._of_queries(column)
        metric = METRICS[column.metric]
        if metric.kind != self.predictions.kind:
            kind = {"class": "one label", "labels": "several labels", "number": "a number"}[metric.kind]
            raise ConfigError(
                f"Column '{column.name}': {column.metric} is for {kind} per image, unlike '{self.run.name}'."
            )
        if column.label is None:
            return self._of_all(column.metric)
        if column.label not in self.predictions.classes:
            near = did_you_mean(column.label, self.predictions.classes)
            raise ConfigError(f"Column '{column.name}': the run '{self.run.name}' has no class '{column.label}'{near}")
        return self._of_classes(column.metric)[column.label]

    def _of_queries(self, column: Column) -> Number:
        values_Q = query_values(_text(self.run, "queries.csv"), column.metric)
        if values_Q is None:
            raise ConfigError(f"Column '{column.name}': the run '{self.run.name}' has no metric '{column.metric}'.")
        return self._number(float(np.nanmean(values_Q)), self.bootstrap.mean_intervals(values_Q[:, None])[0])

    def _resample(self, metric: str) -> Number:
        outcomes = self.predictions.outcomes
        value = float(np.mean([METRICS[metric](outcome)[0] for outcome in outcomes]))
        return self._number(value, self.bootstrap.interval(metric, outcomes, self.predictions.tests))

    def _resample_classes(self, metric: str) -> Mapping[str, Number]:
        outcomes = self.predictions.outcomes
        by_fold_FK = np.array([METRICS[metric].measure(outcome, outcome.once)[0] for outcome in outcomes])
        values_K = mean_of_known(by_fold_FK, axis=0)
        intervals = self.bootstrap.class_intervals(metric, outcomes, self.predictions.tests)
        numbers = [self._number(value, interval) for value, interval in zip(values_K, intervals, strict=True)]
        return dict(zip(self.predictions.classes, numbers, strict=True))

    def _number(self, value: float, interval: Interval | None) -> Number:
        percent = Interval(100 * interval.low, 100 * interval.high) if interval else None
        return Number(None if np.isnan(value) else 100 * float(value), percent, self.run.id)


def _text(run: TrackedRun, file: str) -> str:
    text = run.text(file)
    if text is None:
        raise TrackingError(f"The run '{run.name}' ({run.id[:8]}) kept no {file}; run it again.")
    return text
