"""The training images that are nearest to a test image, in the features that the classifier sees: exact search."""

from collections.abc import Callable

import numpy as np

from offshelf.report.html.contents import Contents
from offshelf.report.html.items import Items
from offshelf.report.html.packing import NONE
from offshelf.retrieval.arrays import OnCpu
from offshelf.retrieval.search import nearest

COUNT = 3
"""Number of neighbours of each class."""
ITEMS = 200
"""Number of items that get neighbours."""

EVERY = -1
"""Stands for the training images of all classes."""

Neighbours = list[tuple[int, list[int]]]
"""Pairs of a class, or EVERY, and the rows of its training images, the nearest first."""


def neighbours_of(contents: Contents, items: Items) -> list[Neighbours]:
    """Return the nearest training images of the first items.

    Of single labels those of the true and of the predicted class; of several labels those with the label, and of all;
    of numbers those of all.
    """
    folds = contents.tested.folds[items.places[:ITEMS]]
    groups = [_groups(contents, items, number) for number in range(len(folds))]
    found: list[Neighbours] = [[(group, []) for group in wanted] for wanted in groups]
    asked: dict[tuple[int, int], list[int]] = {}
    for number, wanted in enumerate(groups):
        for group in wanted:
            asked.setdefault((int(folds[number]), group), []).append(number)
    for (fold, group), numbers in asked.items():
        queries = contents.tested.rows[items.places[numbers]]
        for number, rows in zip(numbers, _nearest(contents, fold, group, queries), strict=True):
            found[number][groups[number].index(group)] = (group, rows)
    return found


def _groups(contents: Contents, items: Items, number: int) -> list[int]:
    classes = [int(one[number]) for one in (items.true, items.taken) if one[number] != NONE]
    every = [] if contents.chosen.kind == "class" else [EVERY]
    return [*dict.fromkeys(classes), *every] if items.is_wrong[number] or every else []


def _nearest(contents: Contents, fold: int, group: int, queries_q: np.ndarray) -> list[list[int]]:
    rows = contents.images.folds[fold].train
    targets = contents.images.targets[rows]
    has_it: Callable[[], np.ndarray] = lambda: targets[:, group] > 0 if targets.ndim == 2 else targets == group  # noqa: E731
    rows = rows if group == EVERY else rows[has_it()]
    if not len(rows):
        return [[] for _ in queries_q]
    references, queries = np.split(contents.features(np.concatenate([rows, queries_q]), fold)[:, None], [len(rows)])
    numbers, _ = nearest(references, queries, min(COUNT, len(rows)), "l2", OnCpu())
    found: list[list[int]] = rows[numbers].tolist()
    return found
