"""The seam between features and classifiers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True, eq=False)
class Curve:
    """Cross-validated accuracy on the training images, by C."""

    C: tuple[float, ...]
    mean: np.ndarray
    """Mean accuracy over the folds: float64 [len(C)]."""
    std: np.ndarray
    """Standard deviation over the folds: float64 [len(C)]."""


@dataclass(frozen=True, eq=False)
class Fit:
    """A classifier fitted to training features."""

    C: float
    """The C it was fitted with."""
    curve: Curve | None
    """How C was chosen; None where it was given."""
    predict: Callable[[np.ndarray], np.ndarray]
    """Class numbers int64 [M] of features float [M, V, D]; the responses of an image's views are summed."""


class Classifier(Protocol):
    """A classifier's spec."""

    def fit(self, values_NVD: np.ndarray, targets_N: np.ndarray) -> Fit:
        """Fit to features of N images through V views; views are training samples. Targets are 0..K-1, all present."""
