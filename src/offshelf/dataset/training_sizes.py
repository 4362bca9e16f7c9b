"""Training subsets of several sizes: a number of images per class (shots), or a fraction of the training images."""

import hashlib
import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from numbers import Integral, Real
from typing import Any, Literal

import numpy as np

from offshelf.dataset.drawing_order import one_of_each_first, ranks, rounds, whole_groups
from offshelf.dataset.imageset import Fold, ImageSet, TrainingSize, Unit
from offshelf.dataset.published_draws import read_draws
from offshelf.dataset.two_sets import joined
from offshelf.errors import ConfigError, DatasetError
from offshelf.names import listed


@dataclass(frozen=True, kw_only=True)
class TrainingSizes:
    """Settings of a data set that draws its training images, for few-shot curves and curves over label fractions.

    Draws are nested: a larger subset of a draw contains the smaller ones. A draw depends on the seed and the ids of the
    images, not on their order. Test images are those of the data set, all of them.

    Where images have groups, shots are of as many different groups as there are: no second image of a group is drawn
    before the first of all others. A fraction consists of whole groups.
    """

    shots: int | Sequence[int] | None = field(default=None, hash=False)
    """Numbers of training images per class; with several labels per image, each label has at least so many."""
    fractions: float | Sequence[float] | None = field(default=None, hash=False)
    """Fractions of the training images, stratified by class, with at least one image of each class; of numbers two."""
    draws: int | str = 5
    """Number of draws; or a folder of published draws, see `published_draws`."""
    small_classes: Literal["stop", "whole"] = "stop"
    """Treatment of classes with fewer images than shots: an error, or all of their images are taken."""
    seed: int = 0
    """Seed of the draws, and of a split where there is none."""
    test: Any = field(default=None, hash=False)
    """Another source with the same classes, which is tested on: a folder or a table, read with the same settings where
    it is of the same kind, or another data set; None: a part of this one. See `two_sets`."""

    def __post_init__(self) -> None:
        inherited = getattr(super(), "__post_init__", None)
        if inherited:
            inherited()
        self._require_one_unit()
        if not isinstance(self.draws, str) and (not _is_whole(self.draws) or self.draws < 1):
            raise ConfigError(f"dataset.draws must be a whole number, at least 1, or a folder; got {self.draws}.")
        if isinstance(self.draws, str) and self.fractions is not None:
            raise ConfigError(f"dataset.draws={self.draws} is a folder of shots; dataset.fractions needs a number.")
        if self.small_classes not in ("stop", "whole"):
            raise ConfigError(f"dataset.small_classes must be stop or whole; got '{self.small_classes}'.")
        if self.shots is not None:
            _require_numbers("shots", sizes_of(self.shots), Integral, math.inf)
        if self.fractions is not None:
            _require_numbers("fractions", sizes_of(self.fractions), Real, 1)

    def _require_one_unit(self) -> None:
        if self.test is not None and getattr(self, "folds", None) is not None:
            raise ConfigError("dataset.folds draws folds of one set, and dataset.test is another: set one to null.")
        if self.shots is not None and self.fractions is not None:
            raise ConfigError("dataset.shots and dataset.fractions cannot be combined; set one of them to null.")

    @property
    def has_sizes(self) -> bool:
        """Whether the training images are drawn."""
        return self.shots is not None or self.fractions is not None or isinstance(self.draws, str)

    @property
    def has_other_source(self) -> bool:
        """Whether another source is tested on."""
        return self.test is not None

    @property
    def leaves_out(self) -> bool:
        """Whether training images are left out, because no subset has them."""
        return self.has_sizes

    def drawn(self, images: ImageSet) -> ImageSet:
        """Return a set with its training subsets, without other training images; unchanged if there is nothing to draw.

        With `test` the images are trained on, and those of the other source tested on.

        Raises:
            DatasetError: A class has fewer images than shots, published draws do not fit, or the other source cannot be
                tested on.
        """
        images = self.tested_on(images)
        if images.kind == "number" and (self.shots is not None or isinstance(self.draws, str)):
            raise DatasetError(
                f"dataset.shots counts images per class, and the labels of {images.name} are numbers. Draw fractions "
                "of the training images: dataset.fractions=[0.1,0.25,1]"
            )
        if isinstance(self.draws, str):
            return only_used(read_draws(images, self.draws, sizes_of(self.shots)))
        if not self.has_sizes:
            return images
        unit: Unit = "fractions" if self.shots is None else "shots"
        values = sorted(sizes_of(self.shots if self.fractions is None else self.fractions))
        if unit == "shots":
            for fold in images.folds:
                self._require_shots(images, fold, max(values))
        parts = [
            Draw(images, fold, f"{self.seed} {draw}").subsets(unit, values)
            for draw in range(self.draws)
            for fold in images.folds
        ]
        return only_used(with_sizes(images, unit, values, self.draws, parts))

    def tested_on(self, images: ImageSet) -> ImageSet:
        """Return a set that is tested on the other source, if there is one."""
        if not self.has_other_source:
            return images
        return joined(images, unsplit(self._other(self.test)))

    def _other(self, test: Any) -> Any:
        """Return the spec of the other source. Raises ConfigError if it is neither a path nor a data set."""
        if hasattr(test, "load"):
            return test
        if not isinstance(test, str | os.PathLike):
            raise ConfigError(f"dataset.test is a folder, a table or a data set; got a {type(test).__name__}.")
        return self.at_path(str(test))

    def at_path(self, path: str) -> Any:
        """Return the spec of other images of this kind.

        Raises:
            ConfigError: A path does not say what is to be read.
        """
        raise ConfigError(
            f"dataset.test={path} is a path, and this data set is not read from one. Name the other data set: "
            "dataset@dataset.test=folder dataset.test.root=DIR"
        )

    def _require_shots(self, images: ImageSet, fold: Fold, shots: float) -> None:
        """Raise DatasetError for classes with fewer training images than shots, unless they are taken whole."""
        counts = images.counts(fold.train)
        few = [f"{name} ({count})" for name, count in zip(images.classes, counts, strict=True) if count < shots]
        if few and self.small_classes == "stop":
            raise DatasetError(
                f"{images.name} has fewer than {shots} training images of {len(few)} "
                f"{'label(s)' if images.is_multilabel else 'class(es)'}: {listed(few)}. Set smaller dataset.shots, or "
                "take all images of these: dataset.small_classes=whole"
            )


@dataclass(frozen=True, eq=False)
class Draw:
    """A random order of the training images of a fold, whose beginnings are the subsets."""

    images: ImageSet
    fold: Fold
    key: str

    def subsets(self, unit: Unit, values: Sequence[float]) -> list[Fold]:
        """Return the fold with the training images of each size."""
        order = in_random_order(self.images, self.fold.train, self.key)
        if self.images.groups is not None:
            if unit == "fractions":
                places = whole_groups(self.images.targets[order], self.images.groups.numbers_N[order])
                return [Fold(order[places <= share], self.fold.test) for share in values]
            order = order[one_of_each_first(self.images.targets[order], self.images.groups.numbers_N[order])]
        targets = self.images.targets[order]
        several = targets.ndim == 2
        if unit == "shots":
            turns = rounds(targets > 0, int(max(values))) if several else ranks(targets)
            chosen = [turns < shots for shots in values]
        elif several:
            is_first = rounds(targets > 0, 1) == 0  # an image of each label
            order = np.concatenate([order[is_first], order[~is_first]])
            counts = [max(int(is_first.sum()), int(round_half_up(share * len(order)))) for share in values]
            chosen = [np.arange(len(order)) < count for count in counts]
        elif self.images.kind == "number":
            counts = [max(2, int(round_half_up(share * len(order)))) for share in values]
            chosen = [np.arange(len(order)) < count for count in counts]
        else:
            counts_N, turns = np.bincount(targets)[targets], ranks(targets)
            chosen = [turns < np.maximum(1, round_half_up(share * counts_N)) for share in values]
        return [Fold(order[is_chosen], self.fold.test) for is_chosen in chosen]


def unsplit(dataset: Any) -> ImageSet:
    """Load a labelled set without drawing folds; the split it has is its fold. Raises DatasetError."""
    if isinstance(dataset, TrainingSizes) and dataset.has_sizes:
        raise ConfigError("dataset.test is not trained on: its shots, fractions and draws are to be null.")
    images = dataset.unsplit() if hasattr(dataset, "unsplit") else dataset.load()
    if not isinstance(images, ImageSet):
        raise DatasetError(f"dataset.test is a {type(images).__name__}; labelled images are expected.")
    return images


def with_sizes(
    images: ImageSet, unit: Unit, values: Sequence[float], draws: int, parts: Sequence[Sequence[Fold]]
) -> ImageSet:
    """Return a set with training sizes; its folds are those of the largest one.

    Args:
        images: The set.
        unit: What `values` are.
        values: Sizes, ascending.
        draws: Number of draws.
        parts: For each fold, draw after draw, the subsets of all sizes.
    """
    per_draw = len(parts) // draws
    sizes = []
    for row, value in enumerate(values):
        folds = tuple(part[row] for part in parts)
        is_whole = unit == "fractions" and value == 1 and len(unique_parts([fold.test for fold in folds])) == per_draw
        several = 1 if is_whole else draws  # all draws of everything are the same
        sizes.append(TrainingSize(value, unit, several, folds[: several * per_draw]))
    return replace(images, folds=sizes[-1].folds, sizes=tuple(sizes))


def only_used(images: ImageSet) -> ImageSet:
    """Return a set without the samples that no fold uses."""
    every = [fold for size in images.sizes for fold in size.folds] or images.folds
    used = np.unique(np.concatenate([rows for fold in every for rows in (fold.train, fold.test)]))
    return images.keeping(used)


def in_random_order(images: ImageSet, rows: np.ndarray, key: str) -> np.ndarray:
    """Return rows in an order that depends on the key and the ids of the samples alone."""
    hashes = [
        hashlib.sha256(f"{key} {images.samples[row].id}".encode("utf-8", "surrogatepass")).digest() for row in rows
    ]
    return np.asarray(rows)[sorted(range(len(rows)), key=hashes.__getitem__)]


def unique_parts(parts: Iterable[np.ndarray]) -> list[bytes]:
    """Return the different ones among sets of rows, each as bytes."""
    return list(dict.fromkeys(np.asarray(part, np.int64).tobytes() for part in parts))


def round_half_up(numbers: np.ndarray | float) -> np.ndarray:
    """Return the nearest whole numbers; halves are rounded up."""
    found: np.ndarray = np.floor(np.asarray(numbers) + 0.5 + 1e-9).astype(np.int64)
    return found


def sizes_of(given: float | Sequence[float] | None) -> list[float]:
    """Return the different numbers of a setting: one, several or none."""
    if given is None:
        return []
    several: Any = [given] if isinstance(given, Real) else given
    return [one.item() if isinstance(one, np.generic) else one for one in dict.fromkeys(several)]


def _is_whole(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)


def _require_numbers(name: str, values: Sequence[float], kind: type[Integral] | type[Real], most: float) -> None:
    """Raise ConfigError for an empty list, and for numbers out of range."""
    wrong = [one for one in values if isinstance(one, bool) or not isinstance(one, kind) or not 0 < one <= most]
    if wrong or not values:
        what = "whole numbers of images, 1 or more" if kind is Integral else "above 0 and at most 1"
        raise ConfigError(f"dataset.{name} must be {what}; got {wrong[0] if wrong else 'an empty list'}.")
