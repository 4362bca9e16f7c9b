"""Everything that is found in a set: from features, held-out probabilities and numbers of pixels to lists."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from offshelf.dataset import ImageSet, LeakRules, Leaks
from offshelf.dataset.leaks import LeakFinder
from offshelf.duplicates import NearDuplicates, NearSearch, Neighbours
from offshelf.evaluation.held_out import HeldOut
from offshelf.inspection.classes import ConfusedPair, DividedClass, confused_pairs, divided_classes
from offshelf.inspection.copies import Copies
from offshelf.inspection.labels import CheckedLabels
from offshelf.inspection.odd import NEAREST, OddImages
from offshelf.inspection.pixels import PixelStatistics
from offshelf.terminal.progress import showing

ALIKE = 0.98
"""Correlation of small copies from which on images are the same picture. Of the 1.1 million pairs of
photographs within the domains of Office-Caltech10, 70 are above it: a picture again, or frames of one series."""
CANDIDATE = 0.5
"""Cosine of the centred features from which on the pixels of neighbours are compared."""


@dataclass(frozen=True, eq=False)
class Similar:
    """The nearest others of each image, and what follows from them."""

    neighbours: Neighbours
    """By the features alone."""
    likeness: Neighbours
    """The same neighbours by likeness: the cosine, or the correlation of the pixels where it is above ALIKE."""
    near: NearDuplicates
    finder: LeakFinder

    @staticmethod
    def of(
        images: ImageSet, values_NVD: np.ndarray, pixels: PixelStatistics | None, near: float, device: str = "auto"
    ) -> "Similar":
        """Search once.

        Args:
            images: The set.
            values_NVD: Features as the network gives them, float [N, V, D].
            pixels: Numbers of the pixels; None: features alone are compared.
            near: Likeness from which on images are near duplicates.
            device: `auto`, `cpu` or `cuda`.
        """
        search = NearSearch(values_NVD, device)
        with showing("Comparing images"):
            neighbours = search.neighbours(NEAREST)
        likeness = _likeness(neighbours, pixels) if pixels else neighbours
        known = NearDuplicates(search, likeness, near)
        return Similar(neighbours, likeness, known, LeakFinder(images, LeakRules(leaks="near", near=near), known))


@dataclass(frozen=True, eq=False)
class Inspection:
    """What is wrong with the images and labels of a set."""

    images: ImageSet
    parts_N: np.ndarray
    """The part that each image is in: `train`, `test`, `train and test` of several folds, `unused`."""
    features_ND: np.ndarray
    """Features as the classifier sees them, the mean over views: float32."""
    neighbours: Neighbours
    predicted_N: np.ndarray
    """The most probable class of each image by held-out probabilities: int64; -1 where there are none."""
    labels: CheckedLabels | None
    """None for numbers, and where no two classes have images enough."""
    copies: Copies
    leaks: Leaks
    odd: OddImages
    pairs: Sequence[ConfusedPair]
    divided: Sequence[DividedClass]
    pixels: PixelStatistics | None
    """None without pictures."""

    @staticmethod
    def of(
        images: ImageSet,
        features_ND: np.ndarray,
        similar: Similar,
        held_out: HeldOut | None,
        pixels: PixelStatistics | None,
    ) -> "Inspection":
        """Make all lists."""
        parts_N, labels, pairs, predicted_N = parts_of(images), None, [], np.full(len(images.samples), -1)
        if held_out is not None and images.kind != "number":
            labels = CheckedLabels.of(held_out.rows, held_out.probabilities, images.targets[held_out.rows])
            if images.kind == "class":
                predicted_N[held_out.rows] = held_out.probabilities.argmax(axis=1)
                pairs = confused_pairs(confusion(images.targets, predicted_N, len(images.classes)))
        return Inspection(
            images,
            parts_N,
            features_ND,
            similar.neighbours,
            predicted_N,
            labels,
            Copies.of(images, similar.near, similar.likeness, parts_N),
            similar.finder.leaks(images),
            OddImages.of(similar.neighbours, usual_size(images), pixels),
            pairs,
            _divided(images, features_ND),
            pixels,
        )

    @cached_property
    def leaked(self) -> dict[str, list[object]]:
        """Columns of the test images that are known from training, the same bytes first, then the nearest."""
        columns = self.leaks.columns()
        kinds = ["bytes", "near", "group"]
        order = sorted(
            range(len(columns["id"])),
            key=lambda at: (kinds.index(columns["leak"][at]), -float(columns["cosine"][at] or 0)),
        )
        ordered = {name: [values[at] for at in order] for name, values in columns.items()}
        return {"likeness" if name == "cosine" else name: values for name, values in ordered.items()}


def _likeness(neighbours: Neighbours, pixels: PixelStatistics) -> Neighbours:
    """Return neighbours in the order of their likeness."""
    rows_Nk, cosines_Nk = neighbours.rows_Nk, neighbours.cosines_Nk
    alike_Nk = pixels.correlations(rows_Nk)
    is_same = (alike_Nk >= ALIKE) & (cosines_Nk >= CANDIDATE)
    found_Nk = np.where(is_same, np.maximum(alike_Nk, cosines_Nk), cosines_Nk)
    order_Nk = np.argsort(-found_Nk, axis=1, kind="stable")
    return Neighbours(*(np.take_along_axis(values, order_Nk, axis=1) for values in (rows_Nk, found_Nk)))


def parts_of(images: ImageSet) -> np.ndarray:
    """Return the part that each image is in, of all folds together: texts [N]."""
    trained, tested = (np.zeros(len(images.samples), bool) for _ in range(2))
    for fold in images.folds:
        trained[fold.train], tested[fold.test] = True, True
    names = np.array(["unused", "train", "test", "train and test"], dtype=object)
    return names[trained + 2 * tested]


def usual_size(images: ImageSet) -> int:
    """Return the median number of images of a class; of numbers, the number of images."""
    counts = images.counts(np.arange(len(images.samples)))
    return int(np.median(counts[counts > 0])) if (counts > 0).any() else 0


def confusion(targets_N: np.ndarray, predicted_N: np.ndarray, classes: int) -> np.ndarray:
    """Return the counts of images by label (rows) and predicted class, int64 [K, K], without those of class -1."""
    known = predicted_N >= 0
    flat = targets_N[known] * classes + predicted_N[known]
    return np.bincount(flat, minlength=classes**2).reshape(classes, classes)


def _divided(images: ImageSet, features_ND: np.ndarray) -> list[DividedClass]:
    if images.kind != "class":
        return []
    order = np.argsort(images.targets, kind="stable")
    ends = np.cumsum(images.counts(order))[:-1]
    return divided_classes(np.split(order, ends), lambda rows: features_ND[rows])
