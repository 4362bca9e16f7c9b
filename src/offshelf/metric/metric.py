"""Metrics by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from offshelf.metric import accuracy, average_precision, number, probability
from offshelf.metric.outcome import LabelKind, Outcome

Measure = Callable[[Outcome, np.ndarray], np.ndarray]
"""Function from an outcome and weights uint8 [M, B] of its images to a number per weighting, [B], or class, [B, K]."""


@dataclass(frozen=True)
class Metric:
    """A variant of a metric: one number for all test images, or the mean of a number per class."""

    measure: Measure
    kind: LabelKind
    """What the images are labelled with."""
    by_class: str | None = None
    """Name of the number of one class; None if there is none."""
    is_loss: bool = False
    """Whether less is better."""
    is_biased: bool = False
    """Whether resampled images have larger values than the images themselves, so that percentiles are no interval."""

    def __call__(self, outcome: Outcome, weights_MB: np.ndarray | None = None) -> np.ndarray:
        """Return float64 [B], or [1] with every image counted once, without the classes that have no test images.

        The result is NaN if no class is left.
        """
        values = self.measure(outcome, outcome.once if weights_MB is None else weights_MB)
        return mean_of_known(values, axis=1) if self.by_class else values


def mean_of_known(values: np.ndarray, axis: int) -> np.ndarray:
    """Return the mean along an axis of the values that are not NaN; NaN if there is none."""
    known = ~np.isnan(values)
    count = known.sum(axis=axis)
    sums = np.where(known, values, 0).sum(axis=axis)
    return np.divide(sums, count, out=np.full(sums.shape, np.nan), where=count > 0)


METRICS: Mapping[str, Metric] = {
    "accuracy": Metric(accuracy.accuracy, kind="class"),
    "mean_class_accuracy": Metric(accuracy.class_accuracies, kind="class", by_class="accuracy"),
    "mAP_11pt": Metric(average_precision.average_precisions_11pt, kind="labels", by_class="AP_11pt"),
    "mAP_area": Metric(average_precision.average_precisions_area, kind="labels", by_class="AP_area"),
    "mAP_sklearn": Metric(average_precision.average_precisions_sklearn, kind="labels", by_class="AP_sklearn"),
    "mean_auc": Metric(average_precision.areas_under_roc, kind="labels", by_class="auc"),
    "mean_label_accuracy": Metric(accuracy.label_accuracies, kind="labels", by_class="accuracy"),
    "r2": Metric(number.r2, kind="number"),
    "mean_absolute_error": Metric(number.mean_absolute_error, kind="number", is_loss=True),
    "spearman": Metric(number.spearman, kind="number"),
}

PROBABILITY_METRICS: Mapping[str, Metric] = {
    "ece": Metric(probability.calibration_errors, kind="class", is_loss=True, is_biased=True),
    "brier_score": Metric(probability.brier_scores, kind="class", is_loss=True),
    "log_loss": Metric(probability.log_losses, kind="class", is_loss=True),
    "mean_label_ece": Metric(
        probability.label_calibration_errors, kind="labels", is_loss=True, is_biased=True, by_class="ece"
    ),
    "mean_label_brier_score": Metric(
        probability.label_brier_scores, kind="labels", is_loss=True, by_class="brier_score"
    ),
    "mean_label_log_loss": Metric(probability.label_log_losses, kind="labels", is_loss=True, by_class="log_loss"),
}
"""Metrics of outcomes whose scores are probabilities; the smaller, the better."""


def metrics_of(kind: LabelKind) -> Mapping[str, Metric]:
    """Return the metrics that are defined for a kind of labels."""
    return _of_kind(METRICS, kind)


def probability_metrics_of(kind: LabelKind) -> Mapping[str, Metric]:
    """Return the metrics of probabilities that are defined for a kind of labels."""
    return _of_kind(PROBABILITY_METRICS, kind)


ALL_METRICS: Mapping[str, Metric] = {**METRICS, **PROBABILITY_METRICS}


def is_loss(name: str) -> bool:
    """Return whether the smaller of two numbers of a test metric is the better one."""
    metric = ALL_METRICS.get(name.removesuffix("_uncalibrated"))
    return metric is not None and metric.is_loss


def _of_kind(metrics: Mapping[str, Metric], kind: LabelKind) -> Mapping[str, Metric]:
    return {name: metric for name, metric in metrics.items() if metric.kind == kind}


def by_class(outcome: Outcome, metrics: Mapping[str, Metric] = METRICS) -> dict[str, np.ndarray]:
    """Return the value for each class, float64 [K], of every metric that is a mean over classes, by name."""
    means = [metric for metric in _of_kind(metrics, outcome.kind).values() if metric.by_class]
    return {str(metric.by_class): metric.measure(outcome, outcome.once)[0] for metric in means}
