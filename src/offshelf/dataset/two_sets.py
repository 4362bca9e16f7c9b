"""Training on one data set and testing on another with the same classes: photographs and sketches, two hospitals."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np

from offshelf.dataset.groups import Groups
from offshelf.dataset.imageset import Fold, ImageSet, LeftOut, Sample
from offshelf.dataset.split_names import folded
from offshelf.errors import DatasetError
from offshelf.names import listed

NOT_TRAINED = "of a class that is not trained on"


def joined(first: ImageSet, second: ImageSet) -> ImageSet:
    """Return a set that is trained on the first set and tested on the second.

    A set with a split of its own gives its training or its test part, any other all of its images. Classes are matched
    by name, in any case. Test images of other classes are left out; labels that are not annotated there do not count.

    Raises:
        DatasetError: The sets have labels of different kinds, no class in common, or several folds.
    """
    if first.kind != second.kind:
        raise DatasetError(
            f"{first.name} has labels of the kind {first.kind}, and {second.name} (dataset.test) of the kind "
            f"{second.kind}."
        )
    trained, tested = _part(first, "train"), _part(second, "test")
    place = {} if first.kind == "number" else _matched(first, second)
    chosen = _Chosen(first, second, place)
    rows = tested[chosen.is_known(tested)]
    samples = [*first.take(trained), *chosen.samples(rows)]
    count = len(trained)
    left_out = [LeftOut(_named(first, second, row), "test", NOT_TRAINED) for row in np.setdiff1d(tested, rows).tolist()]
    return ImageSet(
        f"{first.name} to {second.name}",
        first.classes,
        samples,
        (Fold(np.arange(count), np.arange(count, len(samples))),),
        first.metric,
        notes=(*first.notes, *second.notes, *chosen.notes(trained, rows)),
        not_taken=[*first.not_taken, *second.not_taken, *left_out],
        groups=_groups(first, second, trained, rows),
    )


def _part(images: ImageSet, part: str) -> np.ndarray:
    """Return the rows of a part of a set's own split, or all. Raises DatasetError for several folds."""
    if len(images.folds) > 1:
        raise DatasetError(
            f"{images.name} has {len(images.folds)} folds: with dataset.test there is one split, of both sets. Set "
            "dataset.folds=null."
        )
    if not images.folds:
        return np.arange(len(images.samples))
    rows: np.ndarray = np.sort(getattr(images.folds[0], part))
    return rows


def _matched(first: ImageSet, second: ImageSet) -> Mapping[int, int]:
    """Return the number of each class in the first set, by its number in the second. Raises DatasetError."""
    exact = {name: number for number, name in enumerate(first.classes)}
    alike, theirs = Counter(map(folded, first.classes)), Counter(map(folded, second.classes))
    by_fold = {folded(name): number for name, number in exact.items() if alike[folded(name)] == 1}
    found = {}
    for number, name in enumerate(second.classes):
        near = by_fold.get(folded(name)) if theirs[folded(name)] == 1 else None
        known = exact.get(name, near)
        if known is not None:
            found[number] = known
    if not found:
        near_names = get_close_matches(second.classes[0], first.classes, 1)
        hint = f" (is {second.classes[0]} the class {near_names[0]}?)" if near_names else ""
        raise DatasetError(
            f"{first.name} and {second.name} (dataset.test) have no class in common{hint}: {listed(first.classes)}; "
            f"and {listed(second.classes)}."
        )
    return found


@dataclass(frozen=True, eq=False)
class _Chosen:
    """The images of the second set, with the classes of the first."""

    first: ImageSet
    second: ImageSet
    place: Mapping[int, int]

    def is_known(self, rows: np.ndarray) -> np.ndarray:
        """Return which images have a class that is trained on; all that have several labels, or numbers."""
        if self.second.kind != "class":
            return np.ones(len(rows), bool)
        return np.isin(self.second.targets[rows], list(self.place))

    def samples(self, rows: np.ndarray) -> list[Sample]:
        return [
            Sample(_named(self.first, self.second, row), sample.image, self._target(sample.target))
            for row, sample in zip(rows.tolist(), self.second.take(rows), strict=True)
        ]

    def _target(self, target: int | tuple[int, ...] | float) -> int | tuple[int, ...] | float:
        if isinstance(target, float):
            return target
        if isinstance(target, tuple):
            labels = [0] * len(self.first.classes)
            for theirs, ours in self.place.items():
                labels[ours] = target[theirs]
            return tuple(labels)
        return self.place[target]

    def notes(self, trained: np.ndarray, rows: np.ndarray) -> list[str]:
        """Say which classes one of the sets lacks, and which are spelt differently."""
        if self.first.kind == "number":
            return []
        first, second, place = self.first, self.second, self.place
        untrained = [name for number, name in enumerate(second.classes) if number not in place]
        have = second.counts(rows) > 0
        tested = {place[number] for number in place if have[number]}
        untested = [name for number, name in enumerate(first.classes) if number not in tested]
        pairs = [(second.classes[theirs], first.classes[ours]) for theirs, ours in place.items()]
        spelt = [f"{theirs} ({ours})" for theirs, ours in pairs if theirs != ours]
        what = "label(s)" if first.is_multilabel else "class(es)"
        notes = []
        if untrained:
            notes.append(f"{len(untrained)} {what} of {second.name} are not in {first.name}: {listed(untrained)}.")
        if untested:
            notes.append(f"{len(untested)} {what} of {first.name} are not tested on: {listed(untested)}.")
        if spelt:
            notes.append(f"{len(spelt)} {what} are spelt differently, and taken as the same: {listed(spelt)}.")
        return notes


def _named(first: ImageSet, second: ImageSet, row: int) -> str:
    """Return the id of a test image: below the name of its set, so that it is another than all of the first set."""
    name = second.name if second.name != first.name else "test"
    return f"{name}/{second.samples[row].id}"


def _groups(first: ImageSet, second: ImageSet, trained: np.ndarray, rows: np.ndarray) -> Groups | None:
    """Return the groups of both; images of a set without are groups of their own. One name in both is one group."""
    if first.groups is None and second.groups is None:
        return None
    names = [*_group_names(first, trained, first.name), *_group_names(second, rows, f"test {second.name}")]
    return Groups.of(names, (first.groups or second.groups).what)  # type: ignore[union-attr] # one of them has groups


def _group_names(images: ImageSet, rows: np.ndarray, prefix: str) -> Sequence[str]:
    if images.groups is None:
        return [f"{prefix} {row}" for row in rows.tolist()]
    return [images.groups.names[number] for number in images.groups.numbers_N[rows]]
