"""The order in which training images are drawn: by class, by label, and by group."""

import numpy as np

from offshelf.metric import kind_of


def ranks(targets_N: np.ndarray) -> np.ndarray:
    """Return the place of each image among those of its class, int64 [N]."""
    order = np.argsort(targets_N, kind="stable")
    starts = np.searchsorted(targets_N[order], targets_N[order])
    ranks = np.empty(len(targets_N), np.int64)
    ranks[order] = np.arange(len(targets_N)) - starts
    return ranks


def rounds(has_NK: np.ndarray, count: int) -> np.ndarray:
    """Return the round in which each image is taken, int64 [N]; `count` if in none.

    In round r each label, the rarest first, gets its next image if fewer than r + 1 of the images taken have it.
    """
    rounds = np.full(len(has_NK), count)
    taken_K = np.zeros(has_NK.shape[1], np.int64)
    waiting = [iter(np.flatnonzero(column)) for column in has_NK.T]
    for number in range(count):
        for label in np.argsort(has_NK.sum(axis=0), kind="stable"):
            if taken_K[label] > number:
                continue
            row = next((row for row in waiting[label] if rounds[row] == count), None)
            if row is not None:
                rounds[row] = number
                taken_K += has_NK[row]
    return rounds


def one_of_each_first(targets: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Return an order in which the first images of all groups, of each class, come before the second, int64 [N]."""
    pairs = np.stack([groups, targets if kind_of(targets) == "class" else np.zeros(len(groups), np.int64)])
    return np.argsort(ranks(np.unique(pairs, axis=1, return_inverse=True)[1].ravel()), kind="stable")


def _group_strata(targets: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Return a class for each image, int64 [N]: the most frequent of its group, or its rarest label; 0 of numbers."""
    if targets.dtype.kind == "f":
        return np.zeros(len(targets), np.int64)
    numbers = np.unique(groups, return_inverse=True)[1]
    has_NK = targets > 0 if targets.ndim == 2 else np.eye(int(targets.max()) + 1, dtype=bool)[targets]
    counts_GK = np.zeros((int(numbers.max()) + 1, has_NK.shape[1]), np.int64)
    np.add.at(counts_GK, numbers, has_NK)
    if targets.ndim == 2:
        rarity_K = has_NK.sum(axis=0)
        return np.where(counts_GK > 0, rarity_K, rarity_K.sum() + 1).argmin(axis=1)[numbers]
    return counts_GK.argmax(axis=1)[numbers]


def _needed(targets: np.ndarray) -> np.ndarray:
    """Return places of the first image of each class, or with each label; of numbers of the first two."""
    if targets.dtype.kind == "f":
        return np.arange(min(2, len(targets)))
    if targets.ndim == 2:
        return np.flatnonzero(rounds(targets > 0, 1) == 0)
    return np.unique(targets, return_index=True)[1]


def whole_groups(targets: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Return the smallest fraction that each image is part of, so that fractions have whole groups: float64 [N].

    The images of a stratum (the class of most images of a group, or its rarest label) are numbered from 0 to 1, group
    by group in the order of the images; a fraction has the groups whose middle is below it. The groups with the first
    image of each class are part of every fraction.
    """
    strata, places = _group_strata(targets, groups), np.zeros(len(groups))
    for stratum in np.unique(strata):
        rows = np.flatnonzero(strata == stratum)
        _, first, group, sizes = np.unique(groups[rows], return_index=True, return_inverse=True, return_counts=True)
        turn = np.argsort(first, kind="stable")
        ends = np.empty(len(turn))
        ends[turn] = np.cumsum(sizes[turn])
        places[rows] = ((ends - sizes / 2) / len(rows))[group]
    places[np.isin(groups, groups[_needed(targets)])] = 0
    return places
