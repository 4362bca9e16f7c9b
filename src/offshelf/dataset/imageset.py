"""What every data set loads into: samples, the classes they belong to, and which are trained and tested on."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from offshelf.dataset.image import Image
from offshelf.identity import digest


@dataclass(frozen=True)
class Sample:
    """One labelled picture; `id` is unique within its data set and readable (a relative path, say)."""

    id: str
    image: Image
    target: int


@dataclass(frozen=True, eq=False)
class Fold:
    """Row numbers of the samples to train and to test on: int64 [n], disjoint."""

    train: np.ndarray
    test: np.ndarray


@dataclass(frozen=True, eq=False)
class ImageSet:
    """A loaded data set: one fold is a plain train/test split, several are cross-validated and averaged."""

    name: str
    classes: tuple[str, ...]
    samples: Sequence[Sample]
    folds: tuple[Fold, ...]
    metric: str = "accuracy"
    """The protocol's official metric, reported as the primary one: `accuracy` or `mean_class_accuracy`."""

    @cached_property
    def targets(self) -> np.ndarray:
        """Class numbers of all samples: int64 [N]."""
        return np.array([sample.target for sample in self.samples], dtype=np.int64)

    @cached_property
    def digest(self) -> str:
        """Identity of pixels, labels and folds; paths do not count."""
        return digest(
            {
                "classes": list(self.classes),
                "images": [sample.image.digest for sample in self.samples],
                "targets": self.targets.tolist(),
                "folds": [[fold.train.tolist(), fold.test.tolist()] for fold in self.folds],
            }
        )


class Dataset(Protocol):
    """A data set's spec: cheap to make; `load` reads (or downloads) it."""

    def load(self) -> ImageSet:
        """Raises DatasetError when the data is missing or contradicts itself."""
