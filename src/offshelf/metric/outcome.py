"""The outcome of a classifier on test images, from which all metrics are computed."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np


@dataclass(frozen=True, eq=False)
class Outcome:
    """The test images of one fold with their targets and scores."""

    targets: np.ndarray
    """Class numbers int64 [M]; or for several labels 1, -1 and 0 (not counted), int8 [M, K]."""
    scores: np.ndarray
    """float64 [M, K]: the class with the largest is predicted, the first of equals; of several labels all above 0."""

    @property
    def is_multilabel(self) -> bool:
        """Whether an image can have several labels, or none."""
        return self.targets.ndim == 2

    @property
    def classes(self) -> int:
        """K."""
        return self.scores.shape[1]

    @cached_property
    def predictions(self) -> np.ndarray:
        """Class numbers int64 [M]; or for several labels 1 and -1, int8 [M, K]."""
        if self.is_multilabel:
            return np.where(self.scores > 0, 1, -1).astype(np.int8)
        return self.scores.argmax(axis=1)

    @cached_property
    def once(self) -> np.ndarray:
        """Weights that count each image once: uint8 [M, 1]."""
        return np.ones((len(self.targets), 1), np.uint8)

    def confusion(self) -> np.ndarray:
        """Return the confusion matrix of single labels, int64 [K, K]: rows are true, columns predicted classes."""
        cells = np.bincount(self.targets * self.classes + self.predictions, minlength=self.classes**2)
        return cells.reshape(self.classes, self.classes)

    def counts(self) -> np.ndarray:
        """Return the number of test images of each class (with each label): int64 [K]."""
        if self.is_multilabel:
            return (self.targets > 0).sum(axis=0)
        return np.bincount(self.targets, minlength=self.classes)
