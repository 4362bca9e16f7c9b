"""Growing samples of the training images; each contains the one before."""

from dataclasses import replace

import numpy as np

from offshelf.classifier.folds import fewest_of_class, make_folds
from offshelf.dataset import Fold, ImageSet
from offshelf.dataset.drawing_order import one_of_each_first
from offshelf.errors import DatasetError
from offshelf.metric import kind_of
from offshelf.svm.group_folds import groups_by_class
from offshelf.tasks.recommend.rules import Rules

FEWEST = 3
"""Fewest training images per class: one is held out, and two remain to choose the hyperparameter with."""

LEAST = 8
"""Images per class in the first sample, if the class has so many."""


def training_images(images: ImageSet) -> ImageSet:
    """Return a set of the training images, of the first fold if there are several; it has no folds.

    Raises:
        DatasetError: there are too few for cross-validation.
    """
    rows = images.folds[0].train
    chosen = replace(images.keeping(np.sort(rows)), folds=(), sizes=())
    if chosen.kind != "class":
        if len(rows) < 2 * FEWEST:
            raise DatasetError(f"{images.name} has {len(rows)} training image(s); {2 * FEWEST} are needed.")
        return chosen
    counts = np.bincount(chosen.targets, minlength=len(images.classes))
    what = "images"
    if chosen.groups is not None:
        counts, what = groups_by_class(chosen.targets, chosen.groups.numbers_N, len(images.classes)), "groups of images"
    if len(counts) < 2:
        raise DatasetError(f"{images.name} has one class alone; two or more are needed to compare features.")
    few = [f"{name} ({count})" for name, count in zip(images.classes, counts, strict=True) if count < FEWEST]
    if few:
        raise DatasetError(
            f"{images.name} has too few training {what} of {len(few)} class(es); each needs {FEWEST}: "
            f"{', '.join(few[:10])}."
        )
    return chosen


def growing_order(targets: np.ndarray, seed: int, groups: np.ndarray | None = None) -> np.ndarray:
    """Return row numbers, int64 [N], whose first n are a stratified sample of n images, for any n.

    Each class is shuffled; the i-th of its c images then comes at (i + 0.5) / c. Images with several labels,
    or numbers, are shuffled. Of groups, the first images of all come before the second.
    """
    shuffled = np.random.default_rng(seed).permutation(len(targets))
    if groups is not None:
        shuffled = shuffled[one_of_each_first(targets[shuffled], groups[shuffled])]
    if kind_of(targets) != "class":
        return shuffled
    place = np.empty(len(targets))
    for name in np.unique(targets):
        rows = shuffled[targets[shuffled] == name]
        place[rows] = (np.arange(len(rows)) + 0.5) / len(rows)
    return shuffled[np.argsort(place[shuffled], kind="stable")]


def sizes(targets: np.ndarray, order: np.ndarray, first: int) -> list[int]:
    """Return the sizes of the samples: `first`, or as many as contain LEAST of each class; then doubled; then all."""
    if kind_of(targets) == "class":
        enough = [np.flatnonzero(targets[order] == name)[:LEAST][-1] + 1 for name in np.unique(targets)]
        first = max(first, int(max(enough)))
    rounds = [first]
    while rounds[-1] < len(order):
        rounds.append(2 * rounds[-1])
    return [min(size, len(order)) for size in rounds]


def sample(images: ImageSet, order: np.ndarray, size: int, rules: Rules) -> ImageSet:
    """Return the first `size` images as a set for cross-validation: each image is held out in one of its folds."""
    rows = np.sort(order[:size])
    chosen = images.keeping(rows)
    targets, groups = chosen.targets, chosen.groups_of(np.arange(len(rows)))
    possible = min(rules.folds, fewest_of_class(targets, groups)[0])
    try:
        folds = tuple(Fold(*split) for split in make_folds(targets, possible, rules.seed, groups))
    except ValueError as error:
        raise DatasetError(f"{images.name} cannot be cross-validated: {error}") from error
    return replace(chosen, folds=folds)
