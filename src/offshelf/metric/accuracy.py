"""Single-label accuracy, overall and by class."""

from collections.abc import Callable

import numpy as np


def confusion_matrix(targets: np.ndarray, predictions: np.ndarray, classes: int) -> np.ndarray:
    """Counts, int64 [classes, classes]: row the true class, column the predicted one."""
    cells = np.bincount(targets * classes + predictions, minlength=classes * classes)
    return cells.reshape(classes, classes)


def accuracy(confusion: np.ndarray) -> float:
    """Share of test images whose class is predicted right."""
    return float(np.trace(confusion) / confusion.sum())


def class_accuracies(confusion: np.ndarray) -> np.ndarray:
    """Share predicted right of each class's images: float64 [classes], NaN for a class without test images."""
    counts = confusion.sum(axis=1)
    return np.divide(np.diag(confusion), counts, out=np.full(len(counts), np.nan), where=counts > 0)


def mean_class_accuracy(confusion: np.ndarray) -> float:
    """Mean of the class accuracies (the diagonal of the row-normalised confusion matrix).

    Classes without test images are left out, not counted as 0.
    """
    return float(np.nanmean(class_accuracies(confusion)))


METRICS: dict[str, Callable[[np.ndarray], float]] = {
    "accuracy": accuracy,
    "mean_class_accuracy": mean_class_accuracy,
}
"""Functions of a confusion matrix by metric name."""
