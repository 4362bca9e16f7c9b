"""Metrics: pure functions of targets and predictions, each variant under its own name."""

from offshelf.metric.accuracy import METRICS, accuracy, class_accuracies, confusion_matrix, mean_class_accuracy

__all__ = ["METRICS", "accuracy", "class_accuracies", "confusion_matrix", "mean_class_accuracy"]
