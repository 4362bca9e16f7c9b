"""What the data sets in few large files have in common: settings, and the way from rows to an ImageSet."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from typing_extensions import override

from offshelf.dataset.files import Files
from offshelf.dataset.groups import Groups
from offshelf.dataset.image import parse_colour
from offshelf.dataset.imageset import Dataset, FileSamples, Fold, ImageSet, LeftOut
from offshelf.dataset.intensity_range import parse_range
from offshelf.dataset.leaks import LeakRules
from offshelf.dataset.location import Locations
from offshelf.dataset.numbers import require_target
from offshelf.dataset.partition import with_folds
from offshelf.dataset.raster import MAX_PIXELS, require_pixels
from offshelf.dataset.sources.labels import AUTO_SEPARATOR, Labels
from offshelf.dataset.sources.parts import Parts, Roles, choose_roles
from offshelf.dataset.split_names import Split, require_split
from offshelf.dataset.training_sizes import TrainingSizes
from offshelf.dataset.walk import NO_SAMPLE
from offshelf.errors import ConfigError, DatasetError
from offshelf.names import listed, readable


@dataclass(frozen=True, eq=False)
class Rows:
    """The images of a set before labels are read."""

    name: str
    locations: Locations
    parts: Parts
    labels: Callable[[np.ndarray], Labels]
    """Returns the labels of the rows that a mask has, bool [N]."""
    notes: tuple[str, ...] = ()
    not_taken: Sequence[LeftOut] = ()
    groups: Groups | None = None
    """Groups of all rows, if they are set."""


@dataclass(frozen=True, kw_only=True)
class Labelling(TrainingSizes, LeakRules):
    """Settings of labels and of the split."""

    test_fraction: float = 0.25
    """Share of each class that is held out if there is no split, drawn with `seed`."""
    folds: int | None = None
    """Number of folds to cross-validate with instead of holding out."""
    split: Split = field(default="auto", hash=False)
    """`auto`: by the names of parts; `none`: no split; or `{train: NAME, test: NAME}`, or lists of names."""
    val: str | None = None
    """Use of a validation part: `train`, `test`, `ignore`; None: `test` if there is no test part, else `train`."""
    target: str = "class"
    """What labels are: `class`, also where they look like numbers, or a number to predict (`number`)."""
    separator: str | None = AUTO_SEPARATOR
    """Separator of several labels in a text; None: a text is one label; `auto`: one, unless it looks like several."""
    unlabelled: Literal["stop", "skip"] = "stop"
    """Treatment of images without a label."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_split(self.split, self.val, "NAME")
        require_target(self.target, None if self.separator == AUTO_SEPARATOR else self.separator)
        if self.separator == "":
            raise ConfigError("dataset.separator must be a string such as '|', null, or auto; got an empty one.")
        if self.unlabelled not in ("stop", "skip"):
            raise ConfigError(f"dataset.unlabelled must be stop or skip; got '{self.unlabelled}'.")

    def known(self, name: str, labels: Labels, ids: Callable[[int], str], is_test_N: np.ndarray) -> list[LeftOut]:
        """Return the rows without a label, as left out. Raises DatasetError for these unless they are skipped."""
        unknown = np.flatnonzero(~labels.is_known_N)
        if not len(unknown):
            return []
        if self.unlabelled == "stop":
            is_part = is_test_N.any() and is_test_N[unknown].all() and len(unknown) == is_test_N.sum()
            way = (
                " (the whole test part: dataset.val=test tests on the validation part, if there is one)"
                if is_part
                else ""
            )
            raise DatasetError(
                f"{name}: {len(unknown):,} images have no label{way}: {listed(ids(int(row)) for row in unknown[:4])}. "
                "Leave them out: dataset.unlabelled=skip"
            )
        return [LeftOut(readable(ids(int(row))), NO_SAMPLE, "no label") for row in unknown]

    def fold(self, images: ImageSet, is_test_N: np.ndarray) -> tuple[Fold, ...]:
        """Return the fold of a split. Raises DatasetError if a part is empty, or `folds` is set too."""
        if self.folds is not None:
            raise DatasetError(
                f"{images.name} has its own split; dataset.folds={self.folds} cannot be combined with it. Draw folds: "
                "dataset.split=none"
            )
        train, test = np.flatnonzero(~is_test_N), np.flatnonzero(is_test_N)
        if not len(train) or not len(test):
            raise DatasetError(f"{images.name} has no labelled images to {'test' if len(train) else 'train'} on.")
        untrained = np.flatnonzero((images.counts(test) > 0) & (images.counts(train) == 0))
        if len(untrained) and images.kind != "number":
            names = listed(images.classes[number] for number in untrained)
            raise DatasetError(f"{images.name} is tested on classes without training images: {names}.")
        return (Fold(train, test),)

    @override
    def at_path(self, path: str) -> Any:
        return replace(self, path=path, test=None, shots=None, fractions=None, draws=1)  # type: ignore[call-arg]

    def split_up(self, images: ImageSet) -> ImageSet:
        """Draw folds if the set has none, and training subsets if they are set."""
        if not self.has_other_source:
            images = with_folds(images, self.test_fraction, self.folds, self.seed)
        return self.drawn(images)


@dataclass(frozen=True, kw_only=True)
class Sharded(Dataset, Labelling):
    """Settings of images in few large files."""

    background: str | Sequence[int] = "white"
    """Colour behind transparent pixels: a name, #rrggbb or [r,g,b]."""
    value_range: str | Sequence[float] | None = "auto"
    """Range of values, as for Folder."""
    max_pixels: int = MAX_PIXELS
    """Largest accepted number of pixels of an image."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_pixels(self.max_pixels)

    @abstractmethod
    def rows(self) -> Rows:
        """Find the images. Raises DatasetError."""

    @override
    def load(self) -> ImageSet:
        """Load the images. Raises DatasetError if files are missing or damaged, or what they hold is not clear."""
        return self.split_up(self.unsplit())

    def unsplit(self) -> ImageSet:
        """Load the images without drawing folds; a set's own split still is its fold."""
        rows = self.rows()
        roles = choose_roles(rows.name, rows.parts, self.split, self.val)
        is_used, is_test = masks(rows.parts, roles)
        labels = rows.labels(is_used)
        used = np.flatnonzero(is_used)
        left_out = self.known(rows.name, labels, lambda row: rows.locations.name(int(used[row])), is_test[used])
        kept = used[labels.is_known_N]
        locations = rows.locations if len(kept) == len(rows.locations) else rows.locations.take(kept)
        files = Files(locations, parse_colour(self.background), parse_range(self.value_range), self.max_pixels)
        targets = labels.targets_N[labels.is_known_N]
        groups = rows.groups.take(kept) if rows.groups else None
        metric = {"f": "r2"}.get(targets.dtype.kind, "accuracy" if targets.ndim == 1 else "mAP_sklearn")
        images = ImageSet(
            rows.name,
            labels.classes,
            FileSamples(files, targets),
            (),
            metric,
            (*rows.notes, *roles.notes, *labels.notes, *(groups.notes() if groups else ())),
            [*rows.not_taken, *left_out],
            groups=groups,
        )
        return replace(images, folds=self.fold(images, is_test[kept]) if roles.of else ())


def masks(parts: Parts, roles: Roles) -> tuple[np.ndarray, np.ndarray]:
    """Return which rows are used and which are tested on, bool [N]."""
    if not roles.of:
        return np.ones(len(parts.rows_N), bool), np.zeros(len(parts.rows_N), bool)
    used = np.array([roles.of.get(name) in ("train", "test") for name in parts.names] + [False])
    tested = np.array([roles.of.get(name) == "test" for name in parts.names] + [False])
    return used[parts.rows_N], tested[parts.rows_N]
