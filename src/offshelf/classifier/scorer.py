"""Scoring of images by a fitted estimator."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from offshelf.classifier.view import class_scores
from offshelf.svm.fusion import Fusion


@dataclass(frozen=True, eq=False)
class Scorer:
    """A fitted scikit-learn classifier, and the fusion of an image's views."""

    estimator: Any
    fusion: Fusion
    """Fusion of the responses to an image's views."""
    averages_features: bool
    """Whether an image's views are averaged before the estimator sees them."""

    def __call__(self, values_NVD: np.ndarray) -> np.ndarray:
        """Return scores of classes, float64 [N, K], as in `Outcome`."""
        return class_scores(self.estimator, samples(values_NVD, self.averages_features), self.fusion)


def samples(values_NVD: np.ndarray, averages_features: bool) -> np.ndarray:
    """Return an image's samples for the estimator: its views, or their mean, [N, 1, D]."""
    return values_NVD.mean(axis=1, keepdims=True) if averages_features else values_NVD
