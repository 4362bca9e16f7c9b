"""Folds of cross-validation over images: stratified by class, with all images of a group in one."""

from collections.abc import Iterable

import numpy as np

from offshelf.errors import ConfigError
from offshelf.metric import kind_of
from offshelf.svm.cross_validation import Split, shuffled_folds
from offshelf.svm.group_folds import grouped_folds, groups_by_class


def make_folds(targets: np.ndarray, folds: int, seed: int, groups: np.ndarray | None = None) -> Iterable[Split]:
    """Return shuffled folds of images, stratified by class, or by number without groups: training and held-out images.

    Raises:
        ValueError: `groups`, each of which is on one side, do not allow so many folds; see `grouped_folds`.
    """
    kind = kind_of(targets)
    if groups is None:
        return shuffled_folds(targets, folds, kind, seed)
    return grouped_folds(targets if kind == "class" else None, groups, folds, seed)


def fewest_of_class(targets: np.ndarray, groups: np.ndarray | None) -> tuple[int, int | None]:
    """Return the smallest number of images, or groups, of a class, and that class; of all images, None for others."""
    if kind_of(targets) != "class":
        return len(targets) if groups is None else len(np.unique(groups)), None
    counts = np.bincount(targets) if groups is None else groups_by_class(targets, groups, int(targets.max()) + 1)
    return int(counts.min()), int(counts.argmin())


def fewest_to_hold_out(targets: np.ndarray, groups: np.ndarray | None, folds: int, seed: int) -> int:
    """Return the largest number of folds that targets allow, at most their number; below 2 there are none.

    Each class needs an image, or a group, in each fold. Of numbers each fold needs two, and in some folds they are
    different: of equal ones no score is defined.
    """
    fewest, _ = fewest_of_class(targets, groups)
    if kind_of(targets) != "number":
        return fewest
    possible = min(folds, fewest, len(targets) // 2)
    held_out = [targets[rows] for _, rows in make_folds(targets, possible, seed, groups)] if possible > 1 else []
    return possible if any(len(np.unique(numbers)) > 1 for numbers in held_out) else 0


def draw_folds(targets: np.ndarray, groups: np.ndarray | None, most: int, seed: int) -> list[Split]:
    """Return at most so many folds: fewer if a class has fewer images or groups, or if groups do not allow so many.

    Raises:
        ConfigError: Groups allow no two folds.
    """
    folds = min(most, fewest_of_class(targets, groups)[0])
    while True:
        try:
            return list(make_folds(targets, folds, seed, groups))
        except ValueError as error:
            if groups is None or folds <= 2:
                raise ConfigError(f"Cross-validation is not possible: {error}") from error
            folds -= 1


def require_two(parameter: str, targets: np.ndarray, groups: np.ndarray | None, way: str) -> None:
    """Raise ConfigError for a hyperparameter that cannot be chosen, as a class has one image or group; `way` is out."""
    fewest, number = fewest_of_class(targets, groups)
    if fewest >= 2:
        return
    what = "training image(s)" if groups is None else "group(s) of training images"
    found = f"there are {fewest} {what}, and 2 are needed"
    if number is not None:
        found = f"class number {number} has {fewest} {what} and needs 2"
    raise ConfigError(
        f"{parameter} cannot be chosen by cross-validation: {found}. Add images, or give one value: {way}"
    )


def of_rows(splits: Iterable[Split], images_R: np.ndarray) -> list[Split]:
    """Return splits of images as splits of rows, given the number of each row's image, int64 [R]."""
    return [
        (np.flatnonzero(np.isin(images_R, train)), np.flatnonzero(np.isin(images_R, test))) for train, test in splits
    ]
