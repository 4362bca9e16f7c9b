"""Seeded, stratified splits of sets that bring none."""

import warnings
from collections.abc import Sequence

import numpy as np

from offshelf.dataset.imageset import Fold
from offshelf.errors import DatasetError


def partition(
    targets: np.ndarray, classes: Sequence[str], test_fraction: float, folds: int | None, seed: int
) -> tuple[Fold, ...]:
    """One stratified train/test split, or `folds` stratified folds, each tested once.

    Raises:
        DatasetError: a class has too few images, or a setting is out of range.
    """
    from sklearn.model_selection import StratifiedKFold, StratifiedShuffleSplit

    if not 0 < test_fraction < 1:
        raise DatasetError(f"dataset.test_fraction is above 0 and below 1; got {test_fraction}.")
    if folds is not None and folds < 2:
        raise DatasetError(f"dataset.folds is at least 2, or null for one split; got {folds}.")
    counts = np.bincount(targets, minlength=len(classes))
    few = [f"{name} ({count})" for name, count in zip(classes, counts, strict=True) if count < (folds or 2)]
    if few:
        raise DatasetError(
            f"Each class needs at least {folds or 2} images to be split; too few: {', '.join(few[:10])}."
        )
    splitter = (
        StratifiedKFold(folds, shuffle=True, random_state=seed)
        if folds
        else StratifiedShuffleSplit(1, test_size=test_fraction, random_state=seed)
    )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pairs = list(splitter.split(targets, targets))
    except ValueError as error:
        raise DatasetError(
            f"{len(targets)} images of {len(classes)} classes cannot be split with "
            f"dataset.test_fraction={test_fraction}: {error}"
        ) from error
    return tuple(Fold(np.sort(train), np.sort(test)) for train, test in pairs)
