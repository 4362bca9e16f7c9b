"""Two tracked runs, test by test: differences on the same draws, and why there are none."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from offshelf.metric import METRICS, PROBABILITY_METRICS, Bootstrap, Difference, Outcome
from offshelf.report import (
    Predictions,
    paired,
    paired_probabilities,
    paired_queries,
    read_predictions,
    why_unpaired,
)
from offshelf.tracking.mlflow.reading import TrackedRun


@dataclass(frozen=True)
class Tables:
    """What a run kept of its single tests, read once."""

    run: TrackedRun

    @cached_property
    def predictions(self) -> Predictions | None:
        """The predictions for its test images; None without."""
        text = self.run.text("predictions.csv")
        return read_predictions(text) if text else None

    @cached_property
    def queries(self) -> str | None:
        """The table of its queries; None without."""
        return self.run.text("queries.csv")


@dataclass(frozen=True)
class Pairing:
    """Two runs whose tests are compared one by one: test images or, of retrievals, queries."""

    first: Tables
    second: Tables
    bootstrap: Bootstrap

    @cached_property
    def outcomes(self) -> tuple[tuple[Outcome, ...], tuple[Outcome, ...]] | None:
        """Outcomes of the same test images, fold by fold; None if there are none."""
        one, other = self.first.predictions, self.second.predictions
        return paired(one, other) if one and other else None

    @cached_property
    def probable(self) -> tuple[tuple[Outcome, ...], tuple[Outcome, ...]] | None:
        """The same in probabilities; None too if a run kept none."""
        one, other = self.first.predictions, self.second.predictions
        return paired_probabilities(one, other) if one and other else None

    @property
    def tests(self) -> Sequence[int]:
        """See `Predictions.tests`."""
        return self.first.predictions.tests if self.first.predictions else ()

    def difference(self, metric: str) -> Difference | None:
        """Return the second metric minus the first; None if the tests are not the same, or without draws."""
        if not self.bootstrap.replicates or _why_never(metric):
            return None
        if metric in METRICS or metric in PROBABILITY_METRICS:
            pair = self.outcomes if metric in METRICS else self.probable
            return self.bootstrap.difference(metric, *pair, self.tests) if pair else None
        one, other = self.first.queries, self.second.queries
        queries = paired_queries(one, other, metric) if one and other else None
        return self.bootstrap.mean_difference(*queries) if queries else None

    def why_not(self, metric: str) -> str:
        """Return why there is no difference, as the second half of a sentence."""
        if not self.bootstrap.replicates:
            return "there are no draws (--replicates 0)"
        if never := _why_never(metric):
            return never
        is_search = metric not in METRICS and metric not in PROBABILITY_METRICS
        what = "queries" if is_search else "predictions"
        missing = [each.run.name for each in (self.first, self.second) if not getattr(each, what)]
        if missing:
            return f"{' and '.join(missing)} kept no {what}.csv"
        if is_search:
            return "they were not searched with the same queries, or lack the metric"
        assert self.first.predictions and self.second.predictions
        if why := why_unpaired(self.first.predictions, self.second.predictions):
            return why
        without = [
            each.run.name for each in (self.first, self.second) if each.predictions and not each.predictions.probable
        ]
        if metric in PROBABILITY_METRICS and without:
            return f"{' and '.join(without)} kept no probabilities in predictions.csv"
        return "the metric is not defined"


def is_of_probabilities(metric: str) -> bool:
    """Return whether a metric is of probabilities, calibrated or not."""
    return metric.removesuffix("_uncalibrated") in PROBABILITY_METRICS


def _why_never(metric: str) -> str:
    """Return why a metric is paired in no two runs; empty for others."""
    of_probabilities = PROBABILITY_METRICS.get(metric.removesuffix("_uncalibrated"))
    if of_probabilities and of_probabilities.is_biased:
        return "a resampled calibration error is larger than that of the images themselves"
    if of_probabilities and metric not in PROBABILITY_METRICS:
        return "predictions.csv holds no probabilities before calibration"
    return ""
