"""Metrics as pure functions of the results of a classifier or a search, with error bars. Each variant has a name."""

from offshelf.metric.bootstrap import Bootstrap, Difference, Interval
from offshelf.metric.metric import METRICS, Metric, by_class, mean_of_known, metrics_of
from offshelf.metric.outcome import LabelKind, Outcome, kind_of
from offshelf.metric.retrieval import RETRIEVAL_METRICS, Ranks, Truth, positions

__all__ = [
    "METRICS",
    "RETRIEVAL_METRICS",
    "Bootstrap",
    "Difference",
    "Interval",
    "LabelKind",
    "Metric",
    "Outcome",
    "Ranks",
    "Truth",
    "by_class",
    "kind_of",
    "mean_of_known",
    "metrics_of",
    "positions",
]
