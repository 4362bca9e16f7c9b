"""The outcome of a classifier on test images, from which all metrics are computed."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

LabelKind = Literal["class", "labels", "number"]
"""What an image is labelled with: one class, any of several labels, or a number (an age, a count, a score)."""


def kind_of(targets: np.ndarray) -> LabelKind:
    """Return the kind of labels: class numbers int64 [N], several labels int8 [N, K], or numbers float64 [N]."""
    if targets.ndim == 2:
        return "labels"
    return "number" if targets.dtype.kind == "f" else "class"


@dataclass(frozen=True, eq=False)
class Outcome:
    """The test images of one fold with their targets and scores."""

    targets: np.ndarray
    """Class numbers int64 [M]; for several labels 1, -1 and 0 (not counted), int8 [M, K]; or numbers float64 [M]."""
    scores: np.ndarray
    """float64 [M, K]: the class with the largest is predicted, the first of equals; of several labels all above 0. For
    numbers the predictions, [M, 1]."""
    groups: np.ndarray | None = None
    """Numbers of the images' groups, int64 [M], which are resampled as wholes; None: each image is one."""

    @property
    def kind(self) -> LabelKind:
        """What the images are labelled with."""
        return kind_of(self.targets)

    @property
    def is_multilabel(self) -> bool:
        """Whether an image can have several labels, or none."""
        return self.kind == "labels"

    @property
    def classes(self) -> int:
        """K."""
        return self.scores.shape[1]

    @cached_property
    def predictions(self) -> np.ndarray:
        """Class numbers int64 [M]; for several labels 1 and -1, int8 [M, K]; or numbers float64 [M]."""
        if self.kind == "number":
            return self.scores[:, 0]
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
