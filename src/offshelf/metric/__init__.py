"""Metrics as pure functions of the results of a classifier or a search, with error bars. Each variant has a name."""

from offshelf.metric.bootstrap import Bootstrap, Difference, Interval
from offshelf.metric.metric import (
    METRICS,
    PROBABILITY_METRICS,
    Metric,
    by_class,
    is_loss,
    mean_of_known,
    metrics_of,
    probability_metrics_of,
)
from offshelf.metric.outcome import LabelKind, Outcome, kind_of
from offshelf.metric.probability import Reliability, reliability
from offshelf.metric.retrieval import RETRIEVAL_METRICS, Ranks, Truth, positions

__all__ = [
    "METRICS",
    "PROBABILITY_METRICS",
    "RETRIEVAL_METRICS",
    "Bootstrap",
    "Difference",
    "Interval",
    "LabelKind",
    "Metric",
    "Outcome",
    "Ranks",
    "Reliability",
    "Truth",
    "by_class",
    "is_loss",
    "kind_of",
    "mean_of_known",
    "metrics_of",
    "positions",
    "probability_metrics_of",
    "reliability",
]
