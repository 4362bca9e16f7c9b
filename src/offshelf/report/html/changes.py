"""What changed between two runs on the same test images: what one gets right and the other wrong."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from offshelf.metric import LabelKind, Outcome
from offshelf.names import readable
from offshelf.report.html.packing import NONE, front_coded, packed, quantised

GAINED, LOST, NEITHER, BOTH = range(4)
"""Groups: only the second run is right, only the first, neither, both. Of numbers: closer, farther."""
MOST = 5000
"""Number of items that are shown."""


@dataclass(frozen=True, eq=False)
class Changes:
    """Test images, or pairs of an image and a label, that at least one of two runs is wrong about.

    Of numbers these are all test images, by how much closer, or farther, the second run is.
    """

    kind: LabelKind
    classes: Sequence[str]
    ids: Sequence[str]
    """Ids of the test images: [P]."""
    counts: tuple[int, int, int, int]
    """Number of images or pairs in each group; BOTH are not among the items."""
    points: np.ndarray
    """Place of the image of each item in `ids`: int64 [I]."""
    groups: np.ndarray
    """int64 [I]."""
    labels: np.ndarray
    """True class, or the label: int64 [I]; NONE for numbers."""
    taken: np.ndarray
    """What both runs predict: classes int64 [I, 2], decision values or numbers float64 [I, 2]."""
    true: np.ndarray
    """Whether the image has the label, 0 or 1, or the true number: float64 [I]; of single labels NaN."""

    @staticmethod
    def of(
        first: Sequence[Outcome], second: Sequence[Outcome], ids: Sequence[Sequence[str]], classes: Sequence[str]
    ) -> "Changes":
        """Compare two runs on the same tests, of which the first one of each image counts."""
        names = [name for fold in ids for name in fold]
        _, rows = np.unique(np.array(names, object).astype(str), return_index=True)
        rows = np.sort(rows)
        targets = np.concatenate([one.targets for one in first])[rows]
        scores = [np.concatenate([one.scores for one in outcomes])[rows] for outcomes in (first, second)]
        both = [Outcome(targets, one) for one in scores]
        kind = both[0].kind
        made = {"class": _of_classes, "labels": _of_labels, "number": _of_numbers}[kind](*both)
        points, groups, labels, taken, true = made
        counts = np.bincount(groups, minlength=4)
        order = np.flatnonzero(groups != BOTH)
        order = order[np.argsort(groups[order], kind="stable")][:MOST]
        return Changes(
            kind,
            classes,
            [names[row] for row in rows],
            (int(counts[0]), int(counts[1]), int(counts[2]), int(counts[3])),
            points[order],
            groups[order],
            labels[order],
            taken[order],
            true[order],
        )

    @property
    def shown(self) -> np.ndarray:
        """Places of the images of the items, each once, in the order of the items: int64."""
        points, first = np.unique(self.points, return_index=True)
        return points[np.argsort(first)]

    def data(self) -> dict[str, Any]:
        """Return the items for the script, whose images are those of `shown`."""
        shown = self.shown
        place = np.zeros(len(self.ids), np.int64)
        place[shown] = np.arange(len(shown))
        is_class = self.kind == "class"
        pair = {
            name: packed(values, "uint16") if is_class else quantised(values)
            for name, values in zip(("first", "second"), self.taken.T, strict=True)
        }
        return {
            "kind": self.kind,
            "classes": [readable(name) for name in self.classes],
            "ids": front_coded([readable(self.ids[point]) for point in shown.tolist()]),
            "counts": list(self.counts),
            "items": {
                "points": packed(place[self.points], "uint32"),
                "groups": packed(self.groups, "uint8"),
                "labels": packed(self.labels, "uint16"),
                "true": quantised(self.true),
                **pair,
            },
        }


_Made = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def _groups(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the group of each by whether the runs are right."""
    return np.select([~first & second, first & ~second, ~first & ~second], [GAINED, LOST, NEITHER], BOTH)


def _of_classes(first: Outcome, second: Outcome) -> _Made:
    targets = first.targets
    taken = np.stack([first.predictions, second.predictions], axis=1)
    groups = _groups(*(taken == targets[:, None]).T)
    return np.arange(len(targets)), groups, targets, taken, np.full(len(targets), np.nan)


def _of_labels(first: Outcome, second: Outcome) -> _Made:
    points, labels = np.nonzero(first.targets)
    has_it = first.targets[points, labels] > 0
    taken = np.stack([one.scores[points, labels] for one in (first, second)], axis=1)
    groups = _groups(*((taken > 0) == has_it[:, None]).T)
    order = np.argsort(-np.abs(taken[:, 1] - taken[:, 0]), kind="stable")
    return points[order], groups[order], labels[order], taken[order], has_it[order].astype(np.float64)


def _of_numbers(first: Outcome, second: Outcome) -> _Made:
    taken = np.stack([first.scores[:, 0], second.scores[:, 0]], axis=1)
    errors = np.abs(taken - first.targets[:, None])
    closer = errors[:, 0] - errors[:, 1]
    order = np.argsort(-np.abs(closer), kind="stable")
    groups = np.select([closer > 0, closer < 0], [GAINED, LOST], BOTH)
    return order, groups[order], np.full(len(order), NONE), taken[order], first.targets[order]
