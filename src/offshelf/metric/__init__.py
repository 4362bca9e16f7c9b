"""Metrics: pure functions of what a classifier said of test images, each variant under its own name; error bars."""

from offshelf.metric.bootstrap import Bootstrap, Difference, Interval
from offshelf.metric.metric import METRICS, Metric, by_class, metrics_of
from offshelf.metric.outcome import Outcome

__all__ = ["METRICS", "Bootstrap", "Difference", "Interval", "Metric", "Outcome", "by_class", "metrics_of"]
