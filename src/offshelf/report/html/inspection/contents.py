"""What the page of an inspection is made from, and which images it shows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import zip_longest
from typing import Any

import numpy as np

from offshelf.dataset import LeftOut, Vector
from offshelf.inspection.inspection import Inspection
from offshelf.inspection.labels import NONE
from offshelf.names import readable
from offshelf.report.html.embedding import Embedding
from offshelf.report.html.packing import NONE as UNKNOWN
from offshelf.report.html.packing import front_coded, packed, quantised
from offshelf.retrieval.arrays import OnCpu
from offshelf.retrieval.search import nearest

BESIDE = 3
"""Number of the nearest images of a class that are shown beside a label."""
STRIP = 6
"""Number of images of a group, of a pair or of a part of a class that are shown."""


@dataclass(frozen=True, eq=False)
class InspectionContents:
    """Everything that the page shows."""

    title: str
    about: str
    """How the features were made."""
    inspection: Inspection
    embedding: Embedding
    """The map of all images."""
    metrics: Mapping[str, float]
    """Numbers of the classifier whose held-out probabilities were used; empty without one."""
    metric: str
    left_out: Sequence[LeftOut] = ()
    notes: Sequence[str] = ()
    """What to beware of, in sentences."""
    commands: Mapping[str, str] = field(default_factory=dict)
    """What can be done next: a command by what it does."""

    @property
    def has_pictures(self) -> bool:
        """Whether there are images, not features alone."""
        return not isinstance(self.inspection.images.samples[0].image, Vector)

    def name(self, row: int) -> str:
        """Return the id of an image."""
        return readable(self.inspection.images.samples[row].id)


@dataclass(frozen=True, eq=False)
class Lists:
    """The first entries of each list, as the page shows them, each with the rows of its images."""

    contents: InspectionContents
    most: int
    """Largest number of entries of a list."""

    @cached_property
    def labels(self) -> np.ndarray:
        """Places of the labels that are shown, among the checked ones: all flagged ones, or the first 12."""
        labels = self.contents.inspection.labels
        if labels is None:
            return np.zeros(0, np.int64)
        return np.arange(min(self.most, max(labels.count, min(12, len(labels.rows)))))

    @cached_property
    def beside(self) -> list[list[tuple[int, list[int]]]]:
        """For each shown label the nearest images of the given and of the suggested class, by the class's number."""
        found = self.contents.inspection
        labels, images = found.labels, found.images
        if labels is None:
            return []
        groups = [
            [number for number in (int(labels.given[at]), int(labels.suggested[at])) if number != NONE]
            for at in self.labels
        ]
        asked: dict[int, list[int]] = {}
        for at, numbers in enumerate(groups):
            for number in numbers:
                asked.setdefault(number, []).append(at)
        near: dict[tuple[int, int], list[int]] = {}
        for number, places in asked.items():
            has_it = images.targets[:, number] > 0 if images.targets.ndim == 2 else images.targets == number
            rows = labels.rows[self.labels[places]]
            for at, beside in zip(places, _nearest(found.features_ND, np.flatnonzero(has_it), rows), strict=True):
                near[at, number] = beside
        return [[(number, near[at, number]) for number in numbers] for at, numbers in enumerate(groups)]

    def confused(self, one: int, other: int) -> list[int]:
        """Return rows of images of a class that are taken for another."""
        found = self.contents.inspection
        return np.flatnonzero((found.images.targets == one) & (found.predicted_N == other))[:STRIP].tolist()

    @cached_property
    def leaks(self) -> list[tuple[int, int]]:
        """Rows of test images and of their training images, in the order of `Inspection.leaked`."""
        found = self.contents.inspection
        row_of = {sample.id: row for row, sample in enumerate(found.images.samples)} if found.leaked["id"] else {}
        ids = zip(found.leaked["id"], found.leaked["training_id"], strict=True)
        return [(row_of[str(one)], row_of[str(other)]) for one, other in list(ids)[: self.most]]

    def rows(self) -> list[int]:
        """Return the rows of all images of the lists, those of the first entries of each list first, each once."""
        return list(
            dict.fromkeys(row for several in zip_longest(*self._entries()) for one in several for row in one or ())
        )

    def _entries(self) -> Iterator[list[list[int]]]:
        found, most = self.contents.inspection, self.most
        if found.labels is not None:
            rows = found.labels.rows[self.labels].tolist()
            near = [[row for _, rows in one for row in rows] for one in self.beside]
            yield [[row, *others] for row, others in zip(rows, near, strict=True)]
        yield [list(pair) for pair in self.leaks]
        yield [group.rows[:STRIP].tolist() for group in found.copies.groups[:most]]
        yield [[row] for row in found.odd.order[:most].tolist()]
        yield [self.confused(pair.one, pair.other) + self.confused(pair.other, pair.one) for pair in found.pairs[:most]]
        yield [[*one.parts[0][:STRIP].tolist(), *one.parts[1][:STRIP].tolist()] for one in found.divided[:most]]


def _nearest(features_ND: np.ndarray, rows: np.ndarray, queries: np.ndarray) -> list[list[int]]:
    """Return the nearest of some rows for each query, without itself."""
    count = min(BESIDE + 1, len(rows))
    if not count:
        return [[] for _ in queries]
    numbers, _ = nearest(features_ND[rows][:, None], features_ND[queries][:, None], count, "l2", OnCpu())
    return [
        [row for row in found if row != query][:BESIDE]
        for found, query in zip(rows[numbers].tolist(), queries.tolist(), strict=True)
    ]


@dataclass(frozen=True, eq=False)
class Shown:
    """The images of the page: tested ones first, then the others."""

    lists: Lists
    rows: np.ndarray
    """Rows of the samples: int64 [P]."""
    tested: int
    """Number of the tested ones."""
    order: Sequence[int]
    """Places of the images whose pictures matter most first."""

    @staticmethod
    def of(lists: Lists, most: int) -> "Shown":
        """Choose the images: those of the lists, and a sample of all others up to `most`."""
        found = lists.contents.inspection
        first = lists.rows()
        others = np.setdiff1d(np.arange(len(found.images.samples)), np.array(first, np.int64))
        others = np.random.default_rng(0).permutation(others)[: max(most - len(first), 0)]
        rows = np.concatenate([np.array(first, np.int64), others])
        is_tested = np.isin(found.parts_N[rows].astype(str), ("test", "train and test"))
        places = np.argsort(~is_tested, kind="stable")
        order = np.argsort(places, kind="stable")  # the place of each row, the rows of the lists first
        return Shown(lists, rows[places], int(is_tested.sum()), order.tolist())

    @cached_property
    def place(self) -> Mapping[int, int]:
        """The place of each row."""
        return {row: number for number, row in enumerate(self.rows.tolist())}

    def data(self) -> dict[str, Any]:
        """Return what the script needs to know, without the pictures."""
        contents = self.lists.contents
        found, images = contents.inspection, contents.inspection.images
        places = contents.embedding.places[self.rows]
        targets = images.targets[self.rows]
        return {
            "kind": images.kind,
            "classes": [readable(name) for name in images.classes],
            "tested": self.tested,
            "ids": front_coded([contents.name(row) for row in self.rows.tolist()]),
            "x": quantised(places[:, 0]),
            "y": quantised(places[:, 1]),
            **({"values": quantised(targets)} if images.kind == "number" else {}),
            "colours": packed(_coloured(targets), "uint16"),
            "items": self._items(found),
            "neighbours": [],
            "isProbability": True,
            "isRepeated": False,
        }

    def _items(self, found: Inspection) -> dict[str, Any]:
        """Return the flagged labels, which the map rings."""
        labels = found.labels
        kept = [] if labels is None else [at for at in np.flatnonzero(labels.flagged) if labels.rows[at] in self.place]
        values = {name: np.zeros(0) for name in ("points", "true", "taken", "own", "other")}
        if labels is not None and kept:
            points = np.array([self.place[int(labels.rows[at])] for at in kept])
            named = {"true": labels.given[kept], "taken": labels.suggested[kept]}
            values = {"points": points, **named, "own": labels.own[kept], "other": labels.other[kept]}
        classes = {name: np.where(values[name] < 0, UNKNOWN, values[name]) for name in ("true", "taken")}
        return {
            "points": packed(values["points"], "uint32"),
            **{name: packed(one, "uint16") for name, one in classes.items()},
            "trueScores": quantised(values["own"]),
            "takenScores": quantised(values["other"]),
            "wrong": packed(np.ones(len(kept)), "uint8"),
        }


def _coloured(targets: np.ndarray) -> np.ndarray:
    """Return the class that an image is coloured by: of several labels the first one."""
    if targets.ndim == 2:
        return np.where((targets > 0).any(axis=1), (targets > 0).argmax(axis=1), UNKNOWN)
    return targets if targets.dtype.kind == "i" else np.full(len(targets), UNKNOWN)
