"""Labelled images in memory as a data set."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from typing_extensions import override

from offshelf.api.images import image_list
from offshelf.dataset import Fold, ImageSet, LeakRules, Sample, TrainingSizes
from offshelf.dataset.groups import Groups
from offshelf.dataset.numbers import number_in, require_different, require_target
from offshelf.dataset.partition import partition
from offshelf.errors import DatasetError

NAME = "images"
"""The name of such a data set in runs."""


@dataclass(frozen=True, eq=False)
class Labelled(TrainingSizes, LeakRules):
    """Images and their labels; a part is tested on, or other images are."""

    images: Any = field(repr=False)
    """See `Backbone.encode`."""
    labels: Sequence[Any] = field(repr=False)
    """The class of each image: a text or a number; or, by `target`, the number to predict."""
    test: "Labelled | None" = field(default=None, kw_only=True)
    """Images to test on; None: a stratified part of the images."""
    test_fraction: float = 0.25
    """Of the images, where there is no `test`."""
    classes: Sequence[str] | None = None
    """Names of the classes by number, where labels are numbers from 0."""
    target: str = "class"
    """What labels are: `class`, also where they are numbers, or `number`, which is predicted, such as an age."""
    group: Sequence[Any] | None = field(default=None, repr=False)
    """The group of each image, such as its patient, first of the images to train on, then of those of `test`: a group
    is on one side of a split; None: each image stands for itself."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_target(self.target)

    @staticmethod
    def of(given: Any, **settings: Any) -> "Labelled":
        """Make a data set of an (images, labels) pair, or of a sequence of (image, label) pairs such as torchvision's.

        Raises:
            DatasetError: it is neither.
        """
        if isinstance(given, tuple | list) and len(given) == 2 and hasattr(given[1], "__len__"):
            return Labelled(given[0], given[1], **settings)
        if not (hasattr(given, "__len__") and hasattr(given, "__getitem__")):
            raise DatasetError(
                "A data set is a name, a folder, a data set of offshelf.dataset, a pair (images, labels), or a "
                f"sequence of (image, label) pairs; got a {type(given).__name__}."
            )
        return Labelled(given, _labels(given), classes=_found(given, "classes"), **settings)

    def load(self) -> ImageSet:
        """Return the images with their classes and the split.

        Raises:
            BadImagesError: images that cannot be used.
            DatasetError: images and labels are not of one number, a class is tested on that has no training images, or
                a class has too few images for a split.
        """
        parts = [self] if self.test is None else [self, self.test]
        named, targets = self._targets(parts)
        samples: list[Sample] = []
        for part, of_part, prefix in zip(parts, targets, ("", "test "), strict=False):
            listed = image_list(part.images)
            if len(listed.images) != len(of_part):
                raise DatasetError(
                    f"There are {len(listed.images)} images and {len(of_part)} labels; each image has one."
                )
            ids = list(map(str, listed.ids))
            ids = ids if len(set(ids)) == len(ids) else list(map(str, range(len(ids))))
            samples += [
                Sample(f"{prefix}{name}", image, target)
                for name, image, target in zip(ids, listed.images, of_part, strict=True)
            ]
        rows, first = np.arange(len(samples)), len(targets[0])
        folds: tuple[Fold, ...] = (Fold(rows[:first], rows[first:]),)
        groups = self._groups(len(samples))
        if self.test is None:
            folds = partition(np.array(targets[0]), named, self.test_fraction, None, self.seed, groups)
        metric = "r2" if self.target == "number" else "accuracy"
        return self.drawn(ImageSet(NAME, named, samples, folds, metric, groups=groups))

    @property
    @override
    def has_other_source(self) -> bool:
        return False  # `load` puts both together

    def _groups(self, images: int) -> Groups | None:
        if self.group is None:
            return None
        names = [str(name) for name in np.asarray(self.group, object).ravel().tolist()]
        if len(names) != images:
            raise DatasetError(f"There are {images} images, those of test included, and {len(names)} groups.")
        return Groups.of(names, "group")

    def _targets(self, parts: Sequence["Labelled"]) -> tuple[tuple[str, ...], Sequence[Sequence[float]]]:
        return self._numbers(parts) if self.target == "number" else self._classes(parts)

    def _classes(self, parts: Sequence["Labelled"]) -> tuple[tuple[str, ...], list[list[int]]]:
        """Return the names of the classes, and the class numbers of each part."""
        labels = [part._names() for part in parts]
        classes = _sorted(self.labels) if self.classes is None else list(self.classes)
        number = {name: row for row, name in enumerate(dict.fromkeys(map(str, classes)))}
        unknown = sorted(set(labels[-1]) - set(labels[0]))
        if unknown:
            raise DatasetError(f"Classes are tested on that have no training images: {', '.join(unknown[:10])}.")
        return tuple(number), [[number[label] for label in names] for names in labels]

    @staticmethod
    def _numbers(parts: Sequence["Labelled"]) -> tuple[tuple[str, ...], list[list[float]]]:
        """Return what the labels are, and the numbers of each part."""
        found = [[number_in(label) for label in part._flat().tolist()] for part in parts]
        odd = [
            (part, row)
            for part, numbers in zip(parts, found, strict=True)
            for row, one in enumerate(numbers)
            if one is None
        ]
        if odd:
            part, row = odd[0]
            raise DatasetError(
                f"With target='number' labels are numbers; label {row} is {part._flat().tolist()[row]!r}."
            )
        numbers = [[one for one in of_part if one is not None] for of_part in found]
        require_different(numbers[0], "The labels of images to train on")
        return ("number",), numbers

    def _flat(self) -> np.ndarray:
        """Return the labels in one dimension."""
        labels = np.asarray(self.labels)
        if labels.ndim != 1:
            raise DatasetError(
                f"Labels are one text or number per image; got an array of shape {list(labels.shape)}. Images with "
                "several labels are listed in a CSV file: dataset='csv', path='FILE'."
            )
        return labels

    def _names(self) -> list[str]:
        """Return the class name of each image."""
        labels = self._flat().tolist()
        missing = next((row for row, label in enumerate(labels) if _is_missing(label)), None)
        if missing is not None:
            raise DatasetError(f"Label {missing} is missing ({labels[missing]}); leave out images without a label.")
        if self.classes is None:
            return [str(label) for label in labels]
        known = set(range(len(self.classes)))
        odd = [row for row, label in enumerate(labels) if label not in known]
        if odd:
            raise DatasetError(
                f"Label {odd[0]} is {labels[odd[0]]!r}; labels of named classes are numbers from 0 to "
                f"{len(self.classes) - 1}."
            )
        return [str(self.classes[int(label)]) for label in labels]


def _labels(pairs: Any) -> Sequence[Any]:
    """Return the labels of (image, label) pairs; `targets`, where a data set has them, without opening an image."""
    targets = _found(pairs, "targets")
    if targets is not None:
        return [targets[row] for row in getattr(pairs, "indices", range(len(pairs)))]
    try:
        return [pairs[row][1] for row in range(len(pairs))]
    except (TypeError, IndexError, KeyError) as error:
        raise DatasetError(
            "Items of a data set are (image, label) pairs; for images alone give (images, labels), their labels beside."
        ) from error


def _found(pairs: Any, name: str) -> Any:
    """Return what torchvision's data sets know of themselves, also of a PyTorch Subset of one; None if they do not."""
    return getattr(pairs, name, getattr(getattr(pairs, "dataset", None), name, None))


def _sorted(labels: Sequence[Any]) -> list[Any]:
    """Return the different labels in their order; those of several types in that of their texts."""
    different = set(np.asarray(labels).tolist())
    try:
        return sorted(different)
    except TypeError:
        return sorted(different, key=str)


def _is_missing(label: Any) -> bool:
    """Return whether a label is None, or NaN and its like of pandas, none of which is equal to itself."""
    return label is None or str(label) in ("<NA>", "NaT") or bool(label != label)
