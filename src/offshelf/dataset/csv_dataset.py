"""Data sets from a CSV file that lists images and labels."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from typing_extensions import override

from offshelf.dataset.boxes import read_boxes, require_units
from offshelf.dataset.groups import Groups
from offshelf.dataset.image import ImageFile, parse_colour
from offshelf.dataset.imageset import Dataset, Fold, ImageSet, LeftOut, Sample
from offshelf.dataset.intensity_range import parse_range
from offshelf.dataset.labels import Target, question_several, read_label_columns
from offshelf.dataset.leaks import LeakRules
from offshelf.dataset.numbers import read_numbers, require_target
from offshelf.dataset.partition import with_folds
from offshelf.dataset.raster import MAX_PIXELS, require_pixels
from offshelf.dataset.remote.file import Place, below, place, public
from offshelf.dataset.remote.versions import with_versions
from offshelf.dataset.repeated_lines import in_both, question_repeats
from offshelf.dataset.split_names import ALIKE, as_read, part_of, told_apart
from offshelf.dataset.table import GROUP, TYPED, Columns, Line, Table, at, read_table, require_columns
from offshelf.dataset.training_sizes import TrainingSizes
from offshelf.dataset.walk import NO_SAMPLE
from offshelf.errors import ConfigError, DatasetError
from offshelf.names import listed
from offshelf.remote import is_url

log = logging.getLogger(__name__)

PROBED = 20
"""Number of files whose existence is checked before all are read."""


@dataclass(frozen=True)
class Csv(Dataset, TrainingSizes, LeakRules):
    """Images of a table with columns `path,label[,split,x1,y1,x2,y2]`; split is train, val or test (see `split_names`).

    Box coordinates start at 0, x2 and y2 are exclusive; an empty box is the whole image.
    """

    path: str
    root: str | None = None
    """Folder of relative paths; None: the CSV's folder."""
    test_fraction: float = 0.25
    folds: int | None = None
    background: str | Sequence[int] = "white"
    value_range: str | Sequence[float] | None = "auto"
    """Range of values, as for Folder."""
    max_pixels: int = MAX_PIXELS
    columns: Columns = field(default_factory=dict, hash=False)
    """The table's names of the columns, by the names above; None: the column is not read. Several label columns are as
    many labels, of which an image has those with 1, see `labels`."""
    target: str = "class"
    """What labels are: the names of classes (`class`), also where they look like numbers, or a number to predict
    (`number`): an age, a count, a score."""
    separator: str | None = None
    """Separator of several labels in a cell; `none`: a cell is one label, whatever is in it; None: also, but one that
    looks like several is asked about."""
    boxes: str = "auto"
    """Units of boxes: `pixels`, `fractions` of the image, or `auto`: fractions if all are within 0 and 1."""
    val: str | None = None
    """Use of lines of split `val`: `train`, `test`, `ignore`; None: `test` if there are no test lines, else `train`."""
    delimiter: str | None = None
    """Delimiter of cells: one character, or `tab`; None: found in the header."""
    encoding: str | None = None
    """Encoding of the text; None: UTF-8, or UTF-16 if it declares it."""
    group: str | None = None
    """The table's name of a column: images with one value, such as those of one patient, are on one side of a split."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_columns(self.columns)
        require_pixels(self.max_pixels)
        require_units(self.boxes)
        if self.val not in (None, "train", "test", "ignore"):
            raise ConfigError(f"dataset.val must be train, test, ignore, or null; got '{self.val}'.")
        if self.delimiter is not None and len(self.delimiter) != 1 and self.delimiter != "tab":
            raise ConfigError(f"dataset.delimiter must be one character, such as ';', or tab; got '{self.delimiter}'.")
        require_target(self.target, self._separator)
        if self._has_columns and (self._separator or self.target == "number"):
            raise ConfigError(
                "Several dataset.columns.label are labels; dataset.separator and target=number are for one."
            )
        if self.separator == "":
            raise ConfigError(
                "dataset.separator must be a string such as ';', or null for one label per cell; got an empty one."
            )

    @property
    def _separator(self) -> str | None:
        return None if self.separator == "none" else self.separator

    @property
    def _has_columns(self) -> bool:
        """Whether several columns have labels."""
        return not isinstance(self.columns.get("label", "label"), str | int | float)

    @override
    def load(self) -> ImageSet:
        return self.drawn(self._split(self.unsplit()))

    def _split(self, images: ImageSet) -> ImageSet:
        return images if self.has_other_source else with_folds(images, self.test_fraction, self.folds, self.seed)

    @override
    def at_path(self, path: str) -> "Csv":
        if not is_url(path) and Path(path).expanduser().is_dir():
            raise ConfigError(
                f"dataset.test={path} is a folder, and this data set a table: dataset@dataset.test=folder "
                f"dataset.test.root={path}"
            )
        return replace(self, path=path, root=None, test=None, shots=None, fractions=None, draws=1)

    def unsplit(self) -> ImageSet:
        """Load the images without drawing folds; a table's own split still is its fold."""
        file = place(self.path)
        columns = {**self.columns, GROUP: self.group}
        table = read_table(file, columns, "\t" if self.delimiter == "tab" else self.delimiter, self.encoding)
        parts, notes = _parts(table, self.val)
        unused = [number for number, part in zip(_numbers(table), parts, strict=True) if part == "ignore"]
        kept = [row for row, part in enumerate(parts) if part != "ignore"]
        table, parts = replace(table, lines=[table.lines[row] for row in kept]), [parts[row] for row in kept]
        table, paths = self._files(table)
        classes, targets = self._targets(table)
        samples, more = self._samples(table, paths, targets)
        groups = _groups(table, self.group) if self.group else None
        more += groups.notes() if groups else []
        images = ImageSet(
            file.stem,
            classes,
            samples,
            (),
            "r2" if self.target == "number" else "mAP_sklearn" if self._separator or self._has_columns else "accuracy",
            notes=(*table.notes, *notes, *_class_notes(classes), *more),
            not_taken=[LeftOut(f"line {number}", NO_SAMPLE, "split val (dataset.val)") for number in unused],
            groups=groups,
        )
        return replace(images, folds=self._folds(table, parts, images), notes=(*images.notes, *in_both(table, parts)))

    def _targets(self, table: Table) -> tuple[tuple[str, ...], Sequence[Target]]:
        """Return the sorted class names, and the target of each line. Raises DatasetError."""
        if self.target == "number":
            return (str(self.columns.get("label") or "number"),), read_numbers(table)
        if self._has_columns:
            return read_label_columns(table, [str(name) for name in self.columns["label"] or ()])
        if not self._separator:
            if self.separator is None:
                question_several(table)
            empty = [number for number, line in table.lines if not line["label"]]
            if empty:
                raise DatasetError(f"{at(table.file, empty)}: no label.")
        cells = [_labels(line["label"], self._separator) for _, line in table.lines]
        classes = tuple(sorted({label for labels in cells for label in labels}))
        if len(classes) < 2:
            raise DatasetError(f"{table.file} needs two or more labels; it has {len(classes)}.")
        number = {name: index for index, name in enumerate(classes)}
        if self._separator and not any(self._separator in line["label"] for _, line in table.lines):
            log.warning(
                "No label of %s contains '%s' (dataset.separator): each image has at most one label.",
                *(table.file, self._separator),
            )
        if not self._separator:
            return classes, [number[label] for (label,) in cells]
        return classes, [tuple(1 if name in labels else -1 for name in classes) for labels in cells]

    def _files(self, table: Table) -> tuple[Table, list[Place]]:
        """Return the table with the names that images have in a run, and where their files are."""
        root = place(self.root) if self.root else table.file.parent
        lines = [_with_spaces(line, root) for line in table.lines]
        paths = with_versions([below(root, line["path"]) for _, line in lines])
        named = [(number, {**line, "path": public(line["path"])}) for number, line in lines]
        _warn_of_none(paths, table)
        return replace(table, lines=named), paths

    def _samples(
        self, table: Table, paths: Sequence[Place], targets: Sequence[Target]
    ) -> tuple[list[Sample], list[str]]:
        boxes, notes = read_boxes(table, paths, self.boxes)
        notes += question_repeats(table, boxes, targets, self._separator)
        background, values = parse_colour(self.background), parse_range(self.value_range)
        seen: set[str] = set()
        samples: list[Sample] = []
        for (number, line), path, box, target in zip(table.lines, paths, boxes, targets, strict=True):
            name = line["path"] if line["path"] not in seen else f"{line['path']}#{number}"
            seen.add(line["path"])
            samples.append(Sample(name, ImageFile(path, background, box, values, self.max_pixels), target))
        return samples, notes

    def _folds(self, table: Table, parts: Sequence[str], images: ImageSet) -> tuple[Fold, ...]:
        """Return the split of the table; empty if it has none."""
        if not parts or not parts[0]:
            return ()
        if self.folds is not None:
            raise DatasetError(
                f"{table.file} has its own split; dataset.folds={self.folds} cannot be combined with it. Do not read "
                "the column: dataset.columns.split=null"
            )
        is_tested = np.array([part == "test" for part in parts])
        train, test = np.flatnonzero(~is_tested), np.flatnonzero(is_tested)
        untrained = np.flatnonzero((images.counts(test) > 0) & (images.counts(train) == 0))
        untrained = untrained[:0] if images.kind == "number" else untrained
        if len(untrained) or not len(train) or not len(test):
            what = (
                f"label {listed(images.classes[number] for number in untrained)} is tested but not trained on"
                if len(untrained)
                else "one part is empty"
            )
            raise DatasetError(f"{table.file} needs lines of split train and of split test; {what}.")
        return (Fold(train, test),)


def _groups(table: Table, column: str) -> Groups:
    """Return the groups of the lines. Raises DatasetError if a line has none."""
    empty = [number for number, line in table.lines if not line[GROUP]]
    if empty:
        raise DatasetError(
            f"{at(table.file, empty)}: no {column} (dataset.group). Each image needs a group; one that belongs to no "
            "other is a group of its own, with a name of its own."
        )
    return Groups.of([line[GROUP] for _, line in table.lines], column)


def _labels(cell: str, separator: str | None) -> list[str]:
    return [part.strip() for part in cell.split(separator) if part.strip()] if separator else [cell]


def _numbers(table: Table) -> list[int]:
    return [number for number, _ in table.lines]


def _parts(table: Table, val: str | None) -> tuple[list[str], list[str]]:
    """Return `train`, `test` or `ignore` for each line, empty without a split, and remarks.

    Raises:
        DatasetError: Some lines have no split, or an unknown word.
    """
    cells = [(number, line.get("split", "")) for number, line in table.lines]
    if not any(cell for _, cell in cells):
        return [""] * len(cells), ["The split column is empty."] if "split" in table.has else []
    empty = [number for number, cell in cells if not cell]
    if empty:
        raise DatasetError(
            f"{at(table.file, empty)}: no split, while other lines have one. Fill in train or test; or do not read the "
            "column and draw a split: dataset.columns.split=null"
        )
    named = [(number, cell, part_of(cell)) for number, cell in cells]
    other = [(number, cell) for number, cell, part in named if part is None]
    if other:
        where = at(table.file, [number for number, _ in other])
        raise DatasetError(f"{where}: split must be train, val or test; got '{other[0][1]}'.")
    found = [str(part) for _, _, part in named]
    if "val" not in found:
        return found, []
    count, use = found.count("val"), val or ("train" if "test" in found else "test")
    notes = [f"{count:,} line(s) of split val: {use}{'' if val else ' (dataset.val; train, test, ignore)'}."]
    if use == "test" and "test" in found:
        return [{"val": "test", "test": "ignore"}.get(part, part) for part in found], notes
    return [use if part == "val" else part for part in found], notes


def _with_spaces(line: Line, root: Place) -> Line:
    """Return a line whose path has the surrounding spaces of the file's name."""
    number, cells = line
    return (number, {**cells, "path": cells[TYPED]}) if TYPED in cells and below(root, cells[TYPED]).exists() else line


def _warn_of_none(paths: Sequence[Place], table: Table) -> None:
    """Log where files were looked for if none exists; single missing files are reported later."""
    if any(path.exists() for path in paths[:PROBED]) or any(path.exists() for path in paths):
        return
    back = " Its paths have backslashes, but folders are separated by '/'." if "\\" in table.lines[0][1]["path"] else ""
    log.warning(
        "None of the %d files of %s exists, such as %s.%s Set the folder of its paths: dataset.root=DIR",
        *(len(paths), table.file, paths[0], back),
    )


def _class_notes(classes: Sequence[str]) -> list[str]:
    """Return a remark on labels that may be one, written in two ways."""
    by_reading: dict[str, list[str]] = {}
    for name in classes:
        by_reading.setdefault(as_read(name), []).append(name)
    twins = [" and ".join(map(told_apart, names)) for names in by_reading.values() if len(names) > 1]
    return [f"Labels that differ only in {ALIKE} are separate classes: {listed(twins)}."] if twins else []
