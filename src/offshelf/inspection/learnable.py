"""The part of a set on which labels can be checked: classes with images enough to hold one out."""

from dataclasses import dataclass

import numpy as np

from offshelf.dataset import ImageSet
from offshelf.dataset.renumbering import renumbered
from offshelf.names import listed
from offshelf.svm.group_folds import groups_by_class

LEAST = 2
"""Number of training images, or groups of them, that a class needs."""


@dataclass(frozen=True, eq=False)
class Learnable:
    """Images of a set with classes that can be held out."""

    images: ImageSet
    rows: np.ndarray
    """Their rows in the whole set: int64."""
    numbers: np.ndarray
    """Numbers of their classes in the whole set: int64."""
    note: str
    """A sentence: which classes are left out; empty if none is."""

    @staticmethod
    def of(images: ImageSet) -> "Learnable | str":
        """Return the part, or a sentence that says why there is none."""
        every = np.arange(len(images.samples))
        if images.kind == "number":
            return "Labels that are numbers are not checked."
        if images.kind == "labels":
            return Learnable(images, every, np.arange(len(images.classes)), "")
        counts = np.min([_counts(images, fold.train) for fold in images.folds], axis=0)
        kept = np.flatnonzero(counts >= LEAST)
        if len(kept) == len(images.classes):
            return Learnable(images, every, kept, "")
        few = [images.classes[number] for number in np.flatnonzero(counts < LEAST)]
        what = "training images" if images.groups is None else "groups of training images"
        note = f"Not checked, with fewer than {LEAST} {what}: labels of {len(few):,} class(es) ({listed(few)})."
        if len(kept) < 2:
            return f"{note} No two classes are left."
        rows = np.flatnonzero(np.isin(images.targets, kept))
        return Learnable(renumbered(images.keeping(rows), kept), rows, kept, note)


def _counts(images: ImageSet, rows: np.ndarray) -> np.ndarray:
    groups = images.groups_of(rows)
    if groups is None:
        return images.counts(rows)
    return groups_by_class(images.targets[rows], groups, len(images.classes))
