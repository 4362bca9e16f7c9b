"""The training images that are nearest to a test image, in the features that the classifier sees: exact search."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from offshelf.memo import once
from offshelf.report.html.contents import Contents
from offshelf.report.html.items import Items
from offshelf.report.html.packing import NONE
from offshelf.retrieval.arrays import OnCpu
from offshelf.retrieval.search import nearest

COUNT = 3
"""Number of neighbours of each class."""
SMALL = 1 << 24
"""Products of references, queries and dimensions up to which all distances are computed in float64."""
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
    searches = {fold: _Search(contents, items, np.flatnonzero(folds == fold)) for fold in {fold for fold, _ in asked}}
    for (fold, group), numbers in asked.items():
        for number, rows in zip(numbers, searches[fold].nearest(fold, group, numbers), strict=True):
            found[number][groups[number].index(group)] = (group, rows)
    return found


def _groups(contents: Contents, items: Items, number: int) -> list[int]:
    classes = [int(one[number]) for one in (items.true, items.taken) if one[number] != NONE]
    every = [] if contents.chosen.kind == "class" else [EVERY]
    return [*dict.fromkeys(classes), *every] if items.is_wrong[number] or every else []


@dataclass(frozen=True, eq=False)
class _Search:
    """A search with the items of one fold."""

    contents: Contents
    items: Items
    numbers: np.ndarray
    """Their numbers, ascending: int64 [n]."""

    def nearest(self, fold: int, group: int, numbers: Sequence[int]) -> list[list[int]]:
        """Return the rows of the nearest training images of a class, or of EVERY, to some of the items."""
        rows = self._trained(fold, group)
        if not len(rows):
            return [[] for _ in numbers]
        queries = self._queries(fold)[np.searchsorted(self.numbers, numbers)]
        count = min(COUNT, len(rows))
        found: list[list[int]] = rows[_nearest(self._references(fold, rows), queries, count)].tolist()
        return found

    def _trained(self, fold: int, group: int) -> np.ndarray:
        rows = self.contents.images.folds[fold].train
        if group == EVERY:
            return rows
        targets = self.contents.images.targets[rows]
        return rows[targets[:, group] > 0 if targets.ndim == 2 else targets == group]

    def _references(self, fold: int, rows: np.ndarray) -> np.ndarray:
        """Return the features of training images, which the jobs of a sweep share."""
        contents = self.contents
        known = (contents.found.digest, contents.chosen.name, contents.chosen.transformers[fold], rows)
        return once(lambda: contents.features(rows, fold), "references", *known)

    @cache  # noqa: B019 - as long as the search
    def _queries(self, fold: int) -> np.ndarray:
        return self.contents.features(self.contents.tested.rows[self.items.places[self.numbers]], fold)


def _nearest(references_rE: np.ndarray, queries_qE: np.ndarray, count: int) -> np.ndarray:
    """Return the numbers of the nearest references in order, exactly: int64 [q, count]."""
    if len(references_rE) * queries_qE.size <= SMALL:  # takes less time than bounds do
        from scipy.spatial.distance import cdist

        apart = cdist(queries_qE.astype(np.float64), references_rE.astype(np.float64), "sqeuclidean")
        return np.argsort(apart, axis=1, kind="stable")[:, :count]
    numbers, _ = nearest(references_rE[:, None], queries_qE[:, None], count, "l2", OnCpu())
    return numbers
