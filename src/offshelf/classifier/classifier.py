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

    @property
    def best(self) -> float:
        """The C of the best mean; of equals the smallest, the most regularised."""
        return self.C[int(np.argmax(self.mean))]

    @property
    def is_open(self) -> bool:
        """Whether the best C is the largest of the grid, so that larger ones might be better still."""
        return self.best == self.C[-1]


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
