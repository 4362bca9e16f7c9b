"""Seeded splits for sets without a split, stratified by class or number."""

import math
import warnings
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from offshelf.dataset.groups import Groups
from offshelf.dataset.imageset import Fold, ImageSet
from offshelf.errors import DatasetError
from offshelf.metric import kind_of
from offshelf.names import listed
from offshelf.svm.cross_validation import number_strata, shuffled_folds
from offshelf.svm.group_folds import grouped_folds, grouped_split, groups_by_class


def partition(
    targets: np.ndarray,
    classes: Sequence[str],
    test_fraction: float,
    folds: int | None,
    seed: int,
    groups: Groups | None = None,
) -> tuple[Fold, ...]:
    """Draw one stratified train/test split, or `folds` stratified folds, each of which is tested once.

    Images with several labels are stratified by their rarest label. A group is on one side of each fold, see
    `group_folds`.

    Raises:
        DatasetError: A class has too few images or groups, or a setting is out of range.
    """
    from sklearn.model_selection import StratifiedKFold, StratifiedShuffleSplit

    if not 0 < test_fraction < 1:
        raise DatasetError(f"dataset.test_fraction must be above 0 and below 1; got {test_fraction}.")
    if folds is not None and folds < 2:
        raise DatasetError(f"dataset.folds must be at least 2, or null for one split; got {folds}.")
    if groups is not None:
        return _of_groups(targets, classes, groups, test_fraction, folds, seed)
    if kind_of(targets) == "number":
        return _of_numbers(targets, test_fraction, folds, seed)
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


def with_folds(images: ImageSet, test_fraction: float, folds: int | None, seed: int) -> ImageSet:
    """Return a set with its own folds or, if it has none, with drawn ones. Raises DatasetError as `partition`."""
    if images.folds:
        return images
    drawn = partition(images.targets, images.classes, test_fraction, folds, seed, images.groups)
    return replace(images, folds=drawn)


def _of_numbers(targets: np.ndarray, test_fraction: float, folds: int | None, seed: int) -> tuple[Fold, ...]:
    from sklearn.model_selection import StratifiedShuffleSplit

    images = len(targets)
    if images < 2 * (folds or 2):
        raise DatasetError(f"{images} images with numbers are too few to be split; {2 * (folds or 2)} are needed.")
    if folds:
        splits = shuffled_folds(targets, folds, "number", seed)
    else:
        least = 2 / images  # of one number nothing could be said
        fraction = min(max(test_fraction, least), 1 - least)
        strata = number_strata(targets, math.ceil(1 / min(fraction, 1 - fraction)))
        splits = StratifiedShuffleSplit(1, test_size=fraction, random_state=seed).split(strata, strata)
    return tuple(Fold(np.sort(train), np.sort(test)) for train, test in splits)


def _of_groups(
    targets: np.ndarray, classes: Sequence[str], groups: Groups, test_fraction: float, folds: int | None, seed: int
) -> tuple[Fold, ...]:
    kind, numbers = kind_of(targets), groups.numbers_N
    strata = None if kind == "number" else _rarest(targets, 2) if kind == "labels" else targets
    if kind == "class":
        counts = groups_by_class(targets, numbers, len(classes))
        few = [f"{name} ({count})" for name, count in zip(classes, counts, strict=True) if count < 2]
        if few:
            raise DatasetError(
                f"A class needs images of 2 groups ({groups.what}) to be split, one to train on and one to test on; "
                f"too few: {listed(few)}."
            )
    is_single = kind == "class"
    try:
        drawn = (
            grouped_folds(strata, numbers, folds, seed, is_single)
            if folds
            else [grouped_split(strata, numbers, test_fraction, seed, is_single)]
        )
    except ValueError as error:
        raise DatasetError(f"The groups ({groups.what}) cannot be split: {error}") from error
    return tuple(Fold(train, test) for train, test in drawn)


def _require_room(images: int, classes: int, test_fraction: float) -> None:
    """Raise DatasetError if a part of a split would have fewer images than there are classes."""
    test = math.ceil(images * test_fraction)
    if min(test, images - test) >= classes:
        return
    part = "test on" if test < classes else "train on"
    raise DatasetError(
        f"{images} images of {classes} classes cannot be split with dataset.test_fraction={test_fraction}: "
        f"{min(test, images - test)} images to {part} are fewer than one per class. Try dataset.test_fraction=0.5, or "
        "test on every image once: dataset.folds=2"
    )


def _rarest(targets_NK: np.ndarray, least: int) -> np.ndarray:
    """Return each image's rarest label, int64 [N]; K if no other image has it as rarest, or it has no label."""
    has_NK = targets_NK > 0
    count = has_NK.shape[1]
    rarity_K = np.argsort(np.argsort(has_NK.sum(axis=0), kind="stable"))
    strata = np.where(has_NK.any(axis=1), np.where(has_NK, rarity_K, count).argmin(axis=1), count)
    sizes = np.bincount(strata, minlength=count + 1)
    strata[sizes[strata] < least] = count
    if 0 < (strata == count).sum() < least:
        strata[strata == count] = sizes[:count].argmax()
    return strata
