"""What test images share with training images of their fold: the bytes, a group, or nearly the picture."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from offshelf.dataset.imageset import Fold, ImageSet, LeftOut
from offshelf.dataset.repeats import equal_groups, first_equals
from offshelf.duplicates import NEAR, FindsNearest, NearSearch
from offshelf.errors import ConfigError, DatasetError
from offshelf.names import listed

OnLeak = Literal["warn", "drop", "stop"]
DROPPED = "training images that a test image equals, is near to, or shares a group with (dataset.on_leak=drop)"


@dataclass(frozen=True, kw_only=True)
class LeakRules:
    """Settings of a data set: which leaks are looked for, and what happens to them.

    With `drop` images are left out of training, not of testing, so that runs keep their test images and remain
    comparable with each other and with published numbers (Kolesnikov et al., Big Transfer, ECCV 2020, remove near
    duplicates of test images from their training sets in the same way).
    """

    leaks: Literal["exact", "near"] = "exact"
    """`exact`: equal bytes, and groups on both sides; `near`: also images with nearly equal features."""
    near: float = NEAR
    """Cosine of centred features from which on images are near duplicates; see `offshelf.duplicates`."""
    on_leak: OnLeak = "warn"
    """`warn`; `drop`: leave such images out of training; or `stop`."""

    def __post_init__(self) -> None:
        inherited = getattr(super(), "__post_init__", None)
        if inherited:
            inherited()
        if self.leaks not in ("exact", "near"):
            raise ConfigError(f"dataset.leaks must be exact or near; got '{self.leaks}'.")
        if self.on_leak not in ("warn", "drop", "stop"):
            raise ConfigError(f"dataset.on_leak must be warn, drop or stop; got '{self.on_leak}'.")
        if not 0 < self.near <= 1:
            raise ConfigError(f"dataset.near is a cosine, above 0 and at most 1; got {self.near}.")


def leak_rules(dataset: object) -> LeakRules:
    """Return the settings of a data set; the defaults of one that has none."""
    return dataset if isinstance(dataset, LeakRules) else LeakRules()


@dataclass(frozen=True, eq=False)
class Pairs:
    """The leaks of one kind in a fold: test images with a partner among its training images."""

    kind: Literal["bytes", "group", "near"]
    tested_M: np.ndarray
    """Which of the fold's test images leak: bool [M]."""
    trained_n: np.ndarray
    """Which of its training images are a partner of a test image: bool [n]."""
    partners_M: np.ndarray
    """Row of the training image that a test image leaks from, the first or nearest; -1 if there is none."""
    cosines_M: np.ndarray | None = None
    """Of near duplicates."""


def _near(search: FindsNearest, threshold: float, fold: Fold) -> Pairs:
    """Return the near duplicates among the test and the training images of a fold."""
    of_test, of_train = search.nearest(fold.test, fold.train), search.nearest(fold.train, fold.test)
    tested = of_test.cosines_Q >= threshold
    partners = np.where(tested, of_test.rows_Q, -1)
    return Pairs("near", tested, of_train.cosines_Q >= threshold, partners, of_test.cosines_Q)


def _shared(kind: Literal["bytes", "group"], numbers_N: np.ndarray, fold: Fold) -> Pairs:
    partners = first_equals(fold.test, fold.train, numbers_N)
    return Pairs(kind, partners >= 0, np.isin(numbers_N[fold.train], numbers_N[fold.test]), partners)


@dataclass(frozen=True, eq=False)
class Leaks:
    """The leaks of all folds of a set (and of one training size)."""

    images: ImageSet
    by_fold: Sequence[Sequence[Pairs]]

    def rows(self, kind: str) -> np.ndarray:
        """Return the rows of the test images that leak in one way, in some fold: int64, sorted."""
        found = [
            fold.test[pairs.tested_M]
            for fold, several in zip(self.images.folds, self.by_fold, strict=True)
            for pairs in several
            if pairs.kind == kind
        ]
        return np.unique(np.concatenate([np.empty(0, np.int64), *found]))

    @property
    def groups(self) -> list[str]:
        """Names of the groups on both sides of some fold."""
        of = self.images.groups
        return [of.names[number] for number in np.unique(of.numbers_N[self.rows("group")])] if of else []

    @property
    def counts(self) -> dict[str, float]:
        """Metrics: groups on both sides, and test images with a near duplicate that is not equal."""
        counts = {"data/leaked_groups": float(len(self.groups))} if self.images.groups else {}
        if not any(pairs.kind == "near" for found in self.by_fold for pairs in found):
            return counts
        near = np.setdiff1d(self.rows("near"), self.rows("bytes"))
        labels = self.columns()
        other = zip(labels["leak"], labels["label"], labels["training_label"], strict=True)
        odd = sum(kind == "near" and mine != theirs for kind, mine, theirs in other)
        return counts | {"data/leaked_near": float(len(near)), "data/near_two_labels": float(odd)}

    def columns(self) -> dict[str, list[Any]]:
        """Return columns: fold, test image, how it leaks, training image, cosine, and the labels of both."""
        names = ("fold", "id", "leak", "training_id", "cosine", "label", "training_label")
        columns: dict[str, list[Any]] = {name: [] for name in names}
        samples, label = self.images.samples, self.images.label
        for number, (fold, several) in enumerate(zip(self.images.folds, self.by_fold, strict=True)):
            for pairs in several:
                for place in np.flatnonzero(pairs.tested_M).tolist():
                    row, other = int(fold.test[place]), int(pairs.partners_M[place])
                    cosine = "" if pairs.cosines_M is None else round(float(pairs.cosines_M[place]), 4)
                    cells = (number, samples[row].id, pairs.kind, samples[other].id, cosine, label(row), label(other))
                    for name, cell in zip(names, cells, strict=True):
                        columns[name].append(cell)
        return columns

    def summary(self, but: str = "") -> str:
        """Return the leaks in words, but those of one kind; empty if there are none."""
        columns = self.columns()
        said = []
        for kind, what in WORDS.items():
            of_kind = [
                f"{one} = {other}"
                for one, other, leak in zip(columns["id"], columns["training_id"], columns["leak"], strict=True)
                if leak == kind
            ]
            if of_kind and kind != but:
                count = len(self.rows(kind))
                said.append(f"{count:,} test image(s) {what} ({listed(of_kind)})")
        return "; ".join(said)


WORDS = {
    "bytes": "are also training images, byte for byte",
    "group": "are of a group that is trained on",
    "near": "are nearly the same as a training image",
}


class LeakFinder:
    """Finds the leaks of any fold of a set."""

    def __init__(self, images: ImageSet, rules: LeakRules, search: FindsNearest | None = None) -> None:
        """Take the search for near duplicates, or None: only exact ones are found."""
        self.images, self._rules, self._search = images, rules, search
        self._kinds: list[tuple[Literal["bytes", "group"], np.ndarray]] = [("bytes", equal_groups(images.pictures))]
        if images.groups is not None:
            self._kinds.append(("group", images.groups.numbers_N))
        self._known: dict[int, tuple[Fold, list[Pairs]]] = {}

    def of(self, fold: Fold) -> list[Pairs]:
        """Return the leaks of a fold; those of a fold that was asked for before are not searched again."""
        if id(fold) not in self._known:
            found = [_shared(kind, numbers_N, fold) for kind, numbers_N in self._kinds]
            near = [_near(self._search, self._rules.near, fold)] if self._search else []
            self._known[id(fold)] = fold, [*found, *near]
        return self._known[id(fold)][1]

    def leaks(self, images: ImageSet) -> Leaks:
        """Return the leaks of the folds of a set that has the same samples."""
        return Leaks(images, [self.of(fold) for fold in images.folds])

    def tested(self, fold: Fold) -> np.ndarray:
        """Return which test images of a fold leak, in any way: bool [M]."""
        return _any(pairs.tested_M for pairs in self.of(fold))

    def trained(self, fold: Fold) -> np.ndarray:
        """Return which training images of a fold are partners of a test image: bool [n]."""
        return _any(pairs.trained_n for pairs in self.of(fold))


def settle_exact(images: ImageSet, rules: LeakRules) -> tuple[ImageSet, Leaks]:
    """Settle equal bytes and groups, before there are features. Near duplicates may add to them, unless they stop.

    Returns and raises as `settle`.
    """
    wait = rules.leaks == "near" and rules.on_leak == "drop"
    return settle(images, LeakRules() if wait else rules)


def settle_near(images: ImageSet, rules: LeakRules, values_NVD: np.ndarray, known: Leaks) -> tuple[ImageSet, Leaks]:
    """Settle near duplicates too, by the features of the images, if they are looked for; else return what is known.

    Returns and raises as `settle`.
    """
    if rules.leaks == "exact":
        return replace(images, leaks=images.leaks or LeakFinder(images, rules)), known
    return settle(images, rules, NearSearch(values_NVD))


def settle(images: ImageSet, rules: LeakRules, search: FindsNearest | None = None) -> tuple[ImageSet, Leaks]:
    """Find leaks, and do with them what the settings say.

    Returns:
        The set, without the leaks' training images if they are to be dropped, and with a finder of those that are left;
        and the leaks that were found.

    Raises:
        DatasetError: There are leaks, and they are to stop the run; or nothing is left to train on.
    """
    finder = LeakFinder(images, rules, search)
    images, leaks = replace(images, leaks=finder), finder.leaks(images)
    if not leaks.summary() or rules.on_leak == "warn":
        return images, leaks
    if rules.on_leak == "stop":
        raise DatasetError(
            f"{images.name}: {leaks.summary()} (dataset.on_leak=stop). dataset.on_leak=drop leaves the training images "
            "out; warn goes on, and adds the metric without these test images."
        )
    return _dropped(images, finder, leaks), leaks


def _dropped(images: ImageSet, finder: LeakFinder, leaks: Leaks) -> ImageSet:
    def clean(folds: Sequence[Fold]) -> tuple[Fold, ...]:
        return tuple(Fold(fold.train[~finder.trained(fold)], fold.test) for fold in folds)

    sizes = tuple(replace(size, folds=clean(size.folds)) for size in images.sizes)
    folds = sizes[-1].folds if sizes else clean(images.folds)
    if not all(len(fold.train) for fold in (*folds, *(one for size in sizes for one in size.folds))):
        raise DatasetError(
            f"{images.name}: {leaks.summary()}; without these nothing is left to train on (dataset.on_leak=drop)."
        )
    before, after = (np.unique(np.concatenate([fold.train for fold in several])) for several in (images.folds, folds))
    lost = [LeftOut(images.samples[row].id, "train", DROPPED) for row in np.setdiff1d(before, after).tolist()]
    rest = replace(images, folds=folds, sizes=sizes, not_taken=[*images.not_taken, *lost])
    rest.require_training()
    return rest


def _any(masks: Iterable[np.ndarray]) -> np.ndarray:
    found: np.ndarray = np.logical_or.reduce(list(masks))
    return found
