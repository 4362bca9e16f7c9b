"""Loaded labelled data sets: samples, their classes, and the folds to train and test on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, Protocol

import numpy as np
from typing_extensions import override

from offshelf.dataset.files import Files
from offshelf.dataset.groups import Groups
from offshelf.dataset.image import Image
from offshelf.dataset.reading import digests
from offshelf.dataset.repeats import Repeats, among_samples
from offshelf.errors import DatasetError
from offshelf.identity import digest
from offshelf.lazy import Lazy
from offshelf.metric import LabelKind, kind_of
from offshelf.names import listed, readable


@dataclass(frozen=True)
class Sample:
    """A labelled image; `id` is unique within its data set and readable (a relative path, say)."""

    id: str
    image: Image
    target: int | tuple[int, ...] | float
    """Class number; or, if an image may have several labels, for each 1 (present), -1 (absent) or 0 (not counted,
    such as VOC's difficult objects and unspecified attributes); or a float, the number to predict."""


class FileSamples(Lazy[Sample]):
    """Samples from files, named as they are: class numbers int32 [N]; several labels int8 [N, K]; numbers float64 [N].

    The names of files are unique.
    """

    def __init__(self, files: Files, targets_N: np.ndarray) -> None:
        """Take the files and their targets, see Sample."""
        self.files, self.targets_N = files, targets_N

    def __len__(self) -> int:
        return len(self.files)

    @override
    def make(self, row: int) -> Sample:
        target = self.targets_N[row].tolist()
        return Sample(
            readable(self.files.name(row)), self.files[row], tuple(target) if self.targets_N.ndim > 1 else target
        )

    def take(self, rows_M: np.ndarray) -> "FileSamples":
        """Return the samples of some rows."""
        return FileSamples(self.files.take(rows_M), self.targets_N[rows_M])


@dataclass(frozen=True, eq=False)
class Fold:
    """Row numbers of the samples to train and to test on: int64 [n], disjoint."""

    train: np.ndarray
    test: np.ndarray


Unit = Literal["shots", "fractions"]
"""What a training size counts: images per class, or a fraction of the training images."""


@dataclass(frozen=True, eq=False)
class TrainingSize:
    """Training subsets of one size, drawn once or several times."""

    value: float
    unit: Unit
    draws: int
    folds: tuple[Fold, ...]
    """The folds of the set for each draw, draw after draw; their test images are those of the set."""

    @property
    def name(self) -> str:
        """The size in words: `4 shots`, `10 %`."""
        return size_name(self.value, self.unit)

    @property
    def images(self) -> float:
        """Mean number of training images of a fold."""
        return float(np.mean([len(fold.train) for fold in self.folds]))


def size_name(value: float, unit: Unit) -> str:
    """Return a training size in words: `1 shot`, `4 shots`, `10 %`."""
    return f"{100 * value:g} %" if unit == "fractions" else f"{value:g} shot{'s' if value != 1 else ''}"


@dataclass(frozen=True)
class LeftOut:
    """A sample that could not be used, or a file that is not a sample."""

    id: str
    role: str
    """`train`, `test`, or `train and test` if there are several folds; `unused` if the protocol does not use it; `none`
    for a file that is not a sample."""
    why: str


class FindsLeaks(Protocol):
    """What knows which test images are known from training; see `dataset.leaks`."""

    def tested(self, fold: Fold) -> np.ndarray:
        """Return which test images of a fold leak: bool [M]."""


@dataclass(frozen=True, eq=False)
class ImageSet:
    """A loaded data set: one fold is a plain train/test split; several are cross-validated and averaged."""

    name: str
    classes: tuple[str, ...]
    """Names of the classes or labels; of a set whose labels are numbers one name, what the number is (`age`)."""
    samples: Sequence[Sample]
    folds: tuple[Fold, ...]
    metric: str = "accuracy"
    """The protocol's official metric, reported as the primary one: a name in `offshelf.metric`."""
    notes: tuple[str, ...] = ()
    """Remarks on how the data was read, one sentence each."""
    not_taken: Sequence[LeftOut] = ()
    """Files that were found but are not samples."""
    sizes: tuple[TrainingSize, ...] = ()
    """Training subsets, from the smallest size to the largest, whose folds are `folds`; empty if none are drawn."""
    groups: Groups | None = None
    """Which images belong together, so that splits keep them on one side; None: each stands for itself."""
    leaks: "FindsLeaks | None" = None
    """Finds what test images share with training images; None until it was looked for."""

    @cached_property
    def targets(self) -> np.ndarray:
        """Class numbers of all samples, int64 [N]; of several labels int8 [N, K], see Sample; numbers, float64 [N]."""
        if isinstance(self.samples, FileSamples):
            given = self.samples.targets_N
            return given.astype(np.int64) if given.dtype.kind == "i" and given.ndim == 1 else given
        found = np.array([sample.target for sample in self.samples])
        is_number = found.ndim == 1 and found.dtype.kind == "f" and len(found)  # one that is not whole is enough
        return found.astype(np.int8 if found.ndim == 2 else np.float64 if is_number else np.int64)

    @property
    def kind(self) -> LabelKind:
        """What the images are labelled with: a class, several labels, or a number."""
        return kind_of(self.targets)

    @property
    def is_multilabel(self) -> bool:
        """Whether an image can have several labels, or none."""
        return self.kind == "labels"

    @cached_property
    def pictures(self) -> Sequence[Image]:
        """The images of all samples."""
        if isinstance(self.samples, FileSamples):
            return self.samples.files
        return [sample.image for sample in self.samples]

    @cached_property
    def digest(self) -> str:
        """Identity of pixels, labels and folds, independent of paths."""
        content = {
            "classes": list(self.classes),
            "images": digests(self.pictures),
            "targets": self.targets.tolist(),
            "folds": _rows(self.folds),
        }
        smaller = [[size.value, size.unit, size.draws, _rows(size.folds)] for size in self.sizes[:-1]]
        grouped = {"groups": self.groups.numbers_N.tolist()} if self.groups else {}
        return digest(content | ({"sizes": smaller} if smaller else {}) | grouped)

    @cached_property
    def repeats(self) -> Repeats:
        """Images that occur more than once. Raises ImageError."""
        folds = [(fold.train, fold.test) for fold in self._every_fold()]
        return among_samples(self.pictures, self.samples, self.targets, folds, self.label)

    def take(self, rows_M: np.ndarray) -> Sequence[Sample]:
        """Return the samples of some rows."""
        if isinstance(self.samples, FileSamples):
            return self.samples.take(rows_M)
        return [self.samples[row] for row in rows_M]

    @cached_property
    def tests(self) -> tuple[int, ...]:
        """Number of the test images of each fold, from 0: folds that test the same images have the same number."""
        numbers: dict[bytes, int] = {}
        return tuple(numbers.setdefault(np.asarray(fold.test).tobytes(), len(numbers)) for fold in self.folds)

    @property
    def draws(self) -> int:
        """Number of draws of the training images; 1 if they are not drawn."""
        return self.sizes[-1].draws if self.sizes else 1

    def at(self, size: TrainingSize) -> "ImageSet":
        """Return the set with the training subsets of one size alone."""
        return replace(self, folds=size.folds, sizes=(size,))

    def counts(self, rows: np.ndarray) -> np.ndarray:
        """Return the number of images of each class (with each label, with a number) among some rows: int64 [K]."""
        targets = self.targets[rows]
        if self.kind == "number":
            return np.array([len(targets)])
        if targets.ndim == 2:
            return (targets > 0).sum(axis=0)
        return np.bincount(targets, minlength=len(self.classes))

    def keeping(self, rows_M: np.ndarray) -> "ImageSet":
        """Return the set with some of its samples, given by ascending row numbers; folds keep those of their rows."""
        place = np.full(len(self.samples), -1, np.int64)
        place[rows_M] = np.arange(len(rows_M))

        def kept(folds: Sequence[Fold]) -> tuple[Fold, ...]:
            return tuple(Fold(*(place[rows][place[rows] >= 0] for rows in (one.train, one.test))) for one in folds)

        sizes = tuple(replace(size, folds=kept(size.folds)) for size in self.sizes)
        folds = sizes[-1].folds if sizes else kept(self.folds)
        groups = self.groups.take(rows_M) if self.groups else None
        return replace(self, samples=self.take(rows_M), folds=folds, sizes=sizes, groups=groups, leaks=None)

    def groups_of(self, rows: np.ndarray) -> np.ndarray | None:
        """Return the numbers of the groups of some rows, int64 [n]; None if the set has no groups."""
        return None if self.groups is None else self.groups.numbers_N[rows]

    def require_training(self) -> None:
        """Raise DatasetError if there is one class alone, or a class has no training image in some fold."""
        if self.kind == "class" and len(self.classes) < 2:
            raise DatasetError(f"{self.name} has one class alone, {listed(self.classes)}; two or more are needed.")
        wanted = set(range(len(self.classes)))
        for fold in self._every_fold():
            lacking = sorted(wanted - _present(self.targets[fold.train])) if self.kind == "class" else []
            if lacking:
                names = ", ".join(self.classes[number] for number in lacking[:10])
                raise DatasetError(f"{self.name} has no training images of {len(lacking)} class(es): {names}.")

    def without(self, faults: Mapping[int, str]) -> "tuple[ImageSet, list[LeftOut]]":
        """Return the set without the samples of these row numbers, and the samples left out with the reasons.

        Raises:
            DatasetError: Nothing is left to train or test on, or a class is left without training images.
        """
        left_out = [LeftOut(self.samples[row].id, self._role(row), faults[row]) for row in sorted(faults)]
        kept = np.setdiff1d(np.arange(len(self.samples)), list(faults))
        rest = self.keeping(kept)
        for before, after in zip(self._every_fold(), rest._every_fold(), strict=True):
            lost = _present(self.targets[before.train]) - _present(rest.targets[after.train])
            if lost or not len(after.test) or not len(after.train):
                what = f"the class {self.classes[min(lost)]}" if lost else "training" if len(after.test) else "testing"
                raise DatasetError(f"Without the unreadable images none is left for {what} in {self.name}.")
        return rest, left_out

    def _every_fold(self) -> Sequence[Fold]:
        """Return the folds of all sizes."""
        return [fold for size in self.sizes for fold in size.folds] or self.folds

    def label(self, row: int) -> str:
        """Return the label of an image in words."""
        target = self.targets[row]
        if self.kind == "number":
            return f"{target:g}"
        numbers = np.flatnonzero(target > 0) if self.is_multilabel else [target]
        return ", ".join(self.classes[number] for number in numbers)

    def _role(self, row: int) -> str:
        roles = [name for name in ("train", "test") if any(row in getattr(fold, name) for fold in self._every_fold())]
        return " and ".join(roles) or "unused"


def _rows(folds: Sequence[Fold]) -> list[list[list[int]]]:
    return [[fold.train.tolist(), fold.test.tolist()] for fold in folds]


def _present(targets: np.ndarray) -> set[int]:
    """Return the numbers of the classes that occur; none where images are labelled with numbers."""
    if kind_of(targets) == "number":
        return set()
    return set(np.flatnonzero((targets > 0).any(axis=0)) if targets.ndim == 2 else targets)


class Dataset(Protocol):
    """The spec of a data set, which is cheap to make; `load` reads (or downloads) it."""

    def load(self) -> ImageSet:
        """Load the set. Raises DatasetError if the data is missing or contradicts itself."""
