"""Folds of cross-validation over images: stratified by class, with all images of a group in one."""

from collections.abc import Iterable

import numpy as np

from offshelf.errors import ConfigError
from offshelf.group_folds import Split, grouped_folds, groups_by_class
from offshelf.metric import kind_of


def make_folds(targets: np.ndarray, folds: int, seed: int, groups: np.ndarray | None = None) -> Iterable[Split]:
    """Return shuffled folds of images, stratified if each has a class: numbers of training and held-out images.

    Raises:
        ValueError: `groups`, each of which is on one side, do not allow so many folds; see `grouped_folds`.
    """
    from sklearn.model_selection import KFold, StratifiedKFold

    if groups is not None:
        return grouped_folds(targets if kind_of(targets) == "class" else None, groups, folds, seed)
    kind = StratifiedKFold if kind_of(targets) == "class" else KFold
    return kind(folds, shuffle=True, random_state=seed).split(targets, targets)


def fewest_of_class(targets: np.ndarray, groups: np.ndarray | None) -> tuple[int, int | None]:
    """Return the smallest number of images, or groups, of a class, and that class; of all images, None for others."""
    if kind_of(targets) != "class":
        return len(targets) if groups is None else len(np.unique(groups)), None
    counts = np.bincount(targets) if groups is None else groups_by_class(targets, groups, int(targets.max()) + 1)
    return int(counts.min()), int(counts.argmin())


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
