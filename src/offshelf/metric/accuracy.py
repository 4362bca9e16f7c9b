"""Accuracies. Axes: M test images, B weightings of them, K classes."""

import numpy as np

from offshelf.metric.outcome import Outcome


def accuracy(outcome: Outcome, weights_MB: np.ndarray) -> np.ndarray:
    """Return the share of test images with a correct prediction: float64 [B]."""
    is_right = outcome.predictions == outcome.targets
    total: np.ndarray = weights_MB.sum(axis=0, dtype=np.int64)
    return weights_MB[is_right].sum(axis=0, dtype=np.int64) / total


def class_accuracies(outcome: Outcome, weights_MB: np.ndarray) -> np.ndarray:
    """Return the share of correct predictions for each class's images: float64 [B, K], NaN for a class without images.

    Their mean is that of the diagonal of the row-normalised confusion matrix.
    """
    is_right = outcome.predictions == outcome.targets
    right = _sums(weights_MB[is_right], outcome.targets[is_right], outcome.classes)
    return _shares(right, _sums(weights_MB, outcome.targets, outcome.classes))


def label_accuracies(outcome: Outcome, weights_MB: np.ndarray) -> np.ndarray:
    """Return the share of correct predictions among the images that count for a label: float64 [B, K], NaN for none."""
    counts = (outcome.targets != 0).astype(np.float32)
    is_right = (outcome.predictions == outcome.targets).astype(np.float32)
    weights_BM = weights_MB.T.astype(np.float32)  # sums of integers, exact up to 2^24
    return _shares(weights_BM @ is_right, weights_BM @ counts)


def _sums(weights_MB: np.ndarray, classes_M: np.ndarray, classes: int) -> np.ndarray:
    """Return the weight of each class: int64 [B, K]."""
    out = np.zeros((classes, weights_MB.shape[1]), np.int64)
    order = np.argsort(classes_M, kind="stable")
    present, starts = np.unique(classes_M[order], return_index=True)
    if len(present):
        out[present] = np.add.reduceat(weights_MB[order], starts, axis=0, dtype=np.int64)
    return out.T


def _shares(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)
