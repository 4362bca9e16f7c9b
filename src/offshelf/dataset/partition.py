"""Seeded, stratified splits of sets that bring none."""

import math
import warnings
from collections.abc import Sequence

import numpy as np

from offshelf.dataset.imageset import Fold
from offshelf.errors import DatasetError


def partition(
    targets: np.ndarray, classes: Sequence[str], test_fraction: float, folds: int | None, seed: int
) -> tuple[Fold, ...]:
    """One stratified train/test split, or `folds` stratified folds, each tested once.

    Images of several labels are stratified by the rarest label of each.

    Raises:
        DatasetError: a class has too few images, or a setting is out of range.
    """
    from sklearn.model_selection import StratifiedKFold, StratifiedShuffleSplit

    if not 0 < test_fraction < 1:
        raise DatasetError(f"dataset.test_fraction is above 0 and below 1; got {test_fraction}.")
    if folds is not None and folds < 2:
        raise DatasetError(f"dataset.folds is at least 2, or null for one split; got {folds}.")
    counts = (targets > 0).sum(axis=0) if targets.ndim == 2 else np.bincount(targets, minlength=len(classes))
    few = [f"{name} ({count})" for name, count in zip(classes, counts, strict=True) if count < (folds or 2)]
    if few:
        raise DatasetError(
            f"Each class needs at least {folds or 2} images to be split; too few: {', '.join(few[:10])}."
        )
    strata = _rarest(targets, folds or 2) if targets.ndim == 2 else targets
    if not folds:
        _require_room(len(targets), len(np.unique(strata)), test_fraction)
    splitter = (
        StratifiedKFold(folds, shuffle=True, random_state=seed)
        if folds
        else StratifiedShuffleSplit(1, test_size=test_fraction, random_state=seed)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pairs = list(splitter.split(strata, strata))
    return tuple(Fold(np.sort(train), np.sort(test)) for train, test in pairs)


def _require_room(images: int, classes: int, test_fraction: float) -> None:
    """Raise DatasetError where a part of a split has fewer images than there are classes."""
    test = math.ceil(images * test_fraction)
    if min(test, images - test) >= classes:
        return
    part = "test on" if test < classes else "train on"
    raise DatasetError(
        f"{images} images of {classes} classes cannot be split with dataset.test_fraction={test_fraction}: of "
        f"{min(test, images - test)} images to {part} there is not one for each class. Try dataset.test_fraction=0.5, "
        "or test on every image once: dataset.folds=2"
    )


def _rarest(targets_NK: np.ndarray, least: int) -> np.ndarray:
    """For each image the rarest label that it has, int64 [N]; K where that is nobody else's, or it has none."""
    has_NK = targets_NK > 0
    count = has_NK.shape[1]
    rarity_K = np.argsort(np.argsort(has_NK.sum(axis=0), kind="stable"))
    strata = np.where(has_NK.any(axis=1), np.where(has_NK, rarity_K, count).argmin(axis=1), count)
    sizes = np.bincount(strata, minlength=count + 1)
    strata[sizes[strata] < least] = count
    if 0 < (strata == count).sum() < least:
        strata[strata == count] = sizes[:count].argmax()
    return strata
