"""Objects in boxes: one crop for each, checked against its image."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np
from typing_extensions import override

from offshelf.dataset.box_geometry import require_context, with_context
from offshelf.dataset.boxes import ROUNDING, require_units
from offshelf.dataset.groups import Groups
from offshelf.dataset.image import ImageFile, PixelBox, parse_colour
from offshelf.dataset.imageset import Dataset, Fold, ImageSet, LeftOut, Sample
from offshelf.dataset.intensity_range import parse_range
from offshelf.dataset.leaks import LeakRules
from offshelf.dataset.partition import with_folds
from offshelf.dataset.raster import MAX_PIXELS, require_pixels
from offshelf.dataset.remote.file import Place
from offshelf.dataset.size import upright_size
from offshelf.dataset.training_sizes import TrainingSizes
from offshelf.errors import ConfigError, DatasetError
from offshelf.names import listed

Size = tuple[float, float]
NO_SAMPLE = "none"


@dataclass(frozen=True)
class Found:
    """An object, as its file describes it."""

    id: str
    """Unique: the image and the number of the object."""
    file: Place
    """Its image."""
    box: PixelBox
    """x1, y1, x2, y2; in pixels from 0, or fractions; NaN if the file has no box for it."""
    label: str
    part: str = ""
    """`train` or `test`; empty without a split."""
    why: str = ""
    """Why it is not used; empty if it is."""


@dataclass(frozen=True)
class Annotations:
    """What was read."""

    name: str
    objects: Sequence[Found]
    classes: Sequence[str]
    """All that the files name, in their order."""
    stated: dict[Place, Size] = field(default_factory=dict)
    """Sizes of images that the files state, width and height."""
    notes: Sequence[str] = ()
    units: str = "auto"
    """Units of boxes by the format: `pixels`, `fractions`, or `auto`."""


@dataclass(frozen=True, kw_only=True)
class Objects(Dataset, TrainingSizes, LeakRules, ABC):
    """Settings of all data sets of annotated objects. The objects of an image are a group, on one side of a split."""

    context: float = 1.0
    """Factor by which boxes grow before cropping."""
    min_size: float = 0
    """Smallest shorter side of a box, in pixels, without context; smaller objects are left out."""
    boxes: str = "auto"
    """Units of boxes: `pixels`, `fractions` of the image, or `auto`: fractions if all are within 0 and 1."""
    classes: Sequence[str] | None = field(default=None, hash=False)
    """Names of the classes to take; None: all."""
    test_fraction: float = 0.25
    folds: int | None = None
    background: str | Sequence[int] = "white"
    value_range: str | Sequence[float] | None = "auto"
    max_pixels: int = MAX_PIXELS

    def __post_init__(self) -> None:
        super().__post_init__()
        require_context(self.context)
        require_units(self.boxes)
        require_pixels(self.max_pixels)
        if isinstance(self.classes, str):
            raise ConfigError(f"dataset.classes is a list, such as [{self.classes}]; got '{self.classes}'.")
        if not 0 <= self.min_size < math.inf:
            raise ConfigError(f"dataset.min_size is a number of pixels, 0 or more; got {self.min_size}.")

    @abstractmethod
    def annotations(self) -> Annotations:
        """Read the files. Raises DatasetError."""

    @override
    def load(self) -> ImageSet:
        return self.drawn(self._split(self.unsplit()))

    def _split(self, images: ImageSet) -> ImageSet:
        return images if self.has_other_source else with_folds(images, self.test_fraction, self.folds, self.seed)

    def unsplit(self) -> ImageSet:
        """Load the objects without drawing folds; the split of the files still is their fold."""
        found = self.annotations()
        known = self._among(found)
        sizes = _sizes([one.file for one in known])
        _require_stated(found.stated, sizes)
        known, notes = self._in_pixels(known, sizes, self.boxes if found.units == "auto" else found.units)
        known = [self._judged(one, sizes[one.file]) for one in known]
        used = [one for one in known if not one.why]
        if not used:
            raise DatasetError(f"{found.name} has no object that can be used: {_reasons(known) or 'it lists none'}.")
        cut = sum(_is_beyond(one.box, sizes[one.file]) for one in used)
        notes += [f"{cut:,} of {len(used):,} boxes reach beyond their image and are cut to it."] if cut else []
        return self._set(found, known, used, notes)

    def _among(self, found: Annotations) -> list[Found]:
        """Return the objects, marked if their class is not asked for. Raises DatasetError for unknown classes."""
        if self.classes is None:
            return list(found.objects)
        unknown = [name for name in self.classes if name not in found.classes]
        if unknown:
            raise DatasetError(
                f"{found.name} has no class {listed(unknown)} (dataset.classes). It has: "
                f"{', '.join(found.classes[:20])}."
            )
        why = "of a class that is not asked for (dataset.classes)"
        return [one if one.label in self.classes else replace(one, why=one.why or why) for one in found.objects]

    def _in_pixels(
        self, objects: list[Found], sizes: dict[Place, Size | None], units: str
    ) -> tuple[list[Found], list[str]]:
        """Return objects whose boxes are in pixels, and remarks. Raises DatasetError for units of both kinds."""
        small = [one for one in objects if _has_box(one) and _is_small(one.box)]
        having = [one for one in objects if _has_box(one)]
        if units != "fractions" and not (units == "auto" and len(small) == len(having) > 0):
            if units == "auto" and small:
                raise DatasetError(
                    f"The boxes of {len(small):,} of {len(having):,} objects ({listed(one.id for one in small)}) are "
                    "within 0 and 1 among boxes in pixels; set the units: dataset.boxes=pixels, or fractions"
                )
            return objects, []
        large = [one.id for one in having if not _is_small(one.box)]
        if large and self.boxes == "fractions":
            raise DatasetError(
                f"The boxes of {len(large):,} of {len(having):,} objects are not within 0 and 1, as fractions are: "
                f"{listed(large)}. If boxes are in pixels, say so: dataset.boxes=pixels"
            )
        made = [replace(one, box=_scaled(one.box, sizes[one.file])) for one in objects]
        return made, ["Boxes are fractions of the image's width and height."] if units == "auto" else []

    def _judged(self, one: Found, size: Size | None) -> Found:
        """Return the object with the reason why it cannot be used, if there is one."""
        x1, y1, x2, y2 = one.box
        why = ""
        if not all(map(math.isfinite, one.box)):
            why = "without a box"
        elif x1 >= x2 or y1 >= y2:
            why = "with a box that has no area"
        elif size and (min(round(x2), size[0]) <= max(round(x1), 0) or min(round(y2), size[1]) <= max(round(y1), 0)):
            why = "with a box that has no pixel of its image"
        elif min(x2 - x1, y2 - y1) < self.min_size:
            why = f"of a shorter side below {self.min_size:g} pixels (dataset.min_size)"
        return replace(one, why=one.why or why)

    def _set(self, found: Annotations, known: Sequence[Found], used: Sequence[Found], notes: Sequence[str]) -> ImageSet:
        labels = {one.label for one in used}
        classes = tuple(name for name in found.classes if name in labels)
        wanted = found.classes if self.classes is None else self.classes
        empty = [name for name in wanted if name not in labels]
        if len(classes) < 2:
            raise DatasetError(f"{found.name} needs objects of two or more classes; it has {listed(classes)}.")
        number = {name: row for row, name in enumerate(classes)}
        background, values = parse_colour(self.background), parse_range(self.value_range)
        samples = [
            Sample(
                one.id,
                ImageFile(one.file, background, with_context(one.box, self.context), values, self.max_pixels),
                number[one.label],
            )
            for one in used
        ]
        said = [f"{len(empty)} class(es) have no object: {listed(empty)}."] if empty else []
        images = ImageSet(
            *(found.name, classes, samples, ()),
            notes=(*found.notes, *notes, *said),
            not_taken=[LeftOut(one.id, NO_SAMPLE, one.why) for one in known if one.why],
            groups=Groups.of([str(one.file) for one in used], "image"),
        )
        return replace(images, folds=_folds(images, used, self.folds))


def _folds(images: ImageSet, used: Sequence[Found], folds: int | None) -> tuple[Fold, ...]:
    """Return the split of the files; empty if they have none. Raises DatasetError if it cannot be used."""
    parts = np.array([one.part for one in used])
    if not (parts != "").all():
        return ()
    if folds is not None:
        raise DatasetError(f"{images.name} has its own split; dataset.folds={folds} cannot be combined with it.")
    train, test = np.flatnonzero(parts == "train"), np.flatnonzero(parts == "test")
    untrained = np.flatnonzero((images.counts(test) > 0) & (images.counts(train) == 0))
    if len(untrained):
        names = listed(images.classes[number] for number in untrained)
        raise DatasetError(f"{images.name} tests objects of classes that it does not train on: {names}.")
    if not len(train):
        raise DatasetError(f"{images.name} has no object to train on.")
    return (Fold(train, test),) if len(test) else ()


def _sizes(files: Iterable[Place]) -> dict[Place, Size | None]:
    """Return width and height of each image, upright; None if it cannot be read, which is reported later."""
    names = list(dict.fromkeys(files))
    with ThreadPoolExecutor(8) as pool:
        return dict(zip(names, pool.map(upright_size, names), strict=True))


def _require_stated(stated: dict[Place, Size], sizes: dict[Place, Size | None]) -> None:
    """Raise DatasetError for images of another size than their annotations state, whose boxes would not fit."""
    odd = [(file, size, stated[file]) for file, size in sizes.items() if size and stated.get(file, size) != size]
    if not odd:
        return
    file, size, said = odd[0]
    is_turned = size == said[::-1]
    why = "is turned by its EXIF tag, and was annotated as it lies" if is_turned else "was resized after its annotation"
    raise DatasetError(
        f"{len(odd):,} of {len(sizes):,} images have another size than their annotations state, so that boxes do not "
        f"fit: {file.name} has {size[0]:g} x {size[1]:g} pixels, and {said[0]:g} x {said[1]:g} are stated; perhaps it "
        f"{why}."
    )


def _has_box(one: Found) -> bool:
    return all(map(math.isfinite, one.box))


def _is_small(box: PixelBox) -> bool:
    return all(-ROUNDING <= edge <= 1 + ROUNDING for edge in box)


def _is_beyond(box: PixelBox, size: Size | None) -> bool:
    return size is not None and (min(box[:2]) < -0.5 or box[2] > size[0] + 0.5 or box[3] > size[1] + 0.5)


def _scaled(box: PixelBox, size: Size | None) -> PixelBox:
    width, height = size or (1, 1)
    x1, y1, x2, y2 = (min(max(edge, 0), 1) for edge in box) if all(map(math.isfinite, box)) else box
    return (x1 * width, y1 * height, x2 * width, y2 * height)


def _reasons(objects: Sequence[Found]) -> str:
    by_reason: dict[str, int] = {}
    for one in objects:
        by_reason[one.why] = by_reason.get(one.why, 0) + 1
    return "; ".join(f"{count:,} {why}" for why, count in by_reason.items() if why)
