"""A CSV file that lists images and their labels."""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path

import numpy as np

from offshelf.dataset.image import Box, ImageFile, parse_colour
from offshelf.dataset.imageset import Fold, ImageSet, Sample
from offshelf.dataset.partition import partition
from offshelf.dataset.raster import MAX_PIXELS
from offshelf.dataset.value_range import parse_range
from offshelf.errors import DatasetError

BOX = ("x1", "y1", "x2", "y2")
SPLITS = ("train", "val", "test")

Line = tuple[int, dict[str, str]]
"""Its number and cells."""


@dataclass(frozen=True)
class Csv:
    """Columns `path,label[,split,x1,y1,x2,y2]`; split is train, val (trained on too) or test.

    Boxes are in pixels from 0, x2 and y2 exclusive; an empty one is the whole image.
    """

    path: str
    root: str | None = None
    """What relative paths are relative to; without, the CSV's folder."""
    test_fraction: float = 0.25
    folds: int | None = None
    background: str | Sequence[int] = "white"
    value_range: str | Sequence[float] | None = "auto"
    """See Folder."""
    max_pixels: int = MAX_PIXELS
    seed: int = 0

    def load(self) -> ImageSet:
        """See Dataset."""
        file, lines = self._lines()
        images = self._samples(file, lines)
        return replace(images, folds=self._folds(file, lines, images))

    def unsplit(self) -> ImageSet:
        """See Unsplit."""
        return self._samples(*self._lines())

    def _lines(self) -> tuple[Path, list[Line]]:
        file = Path(self.path).expanduser().absolute()
        return file, _read(file)

    def _samples(self, file: Path, lines: Sequence[Line]) -> ImageSet:
        root = Path(self.root).expanduser().absolute() if self.root else file.parent
        classes = tuple(sorted({line["label"] for _, line in lines}))
        if len(classes) < 2:
            raise DatasetError(f"{file} needs two or more labels; it has {len(classes)}.")
        number = {name: index for index, name in enumerate(classes)}
        seen: set[str] = set()
        samples: list[Sample] = []
        background, values = parse_colour(self.background), parse_range(self.value_range)
        for row, line in lines:
            name = line["path"] if line["path"] not in seen else f"{line['path']}#{row}"
            seen.add(line["path"])
            image = ImageFile(root / line["path"], background, _box(file, row, line), values, self.max_pixels)
            samples.append(Sample(name, image, number[line["label"]]))
        return ImageSet(file.stem, classes, samples, ())

    def _folds(self, file: Path, lines: Sequence[Line], images: ImageSet) -> tuple[Fold, ...]:
        targets, classes = images.targets, images.classes
        if not lines[0][1].get("split"):
            return partition(targets, classes, self.test_fraction, self.folds, self.seed)
        if self.folds is not None:
            raise DatasetError(f"{file} has its own split; dataset.folds={self.folds} does not go with it.")
        for row, line in lines:
            if line["split"] not in SPLITS:
                raise DatasetError(f"{file}, line {row}: split is train, val or test; got '{line['split']}'.")
        tested = np.array([line["split"] == "test" for _, line in lines])
        untrained = set(targets[tested]) - set(targets[~tested])
        if untrained or tested.all() or not tested.any():
            what = f"label {classes[min(untrained)]} is tested and not trained on" if untrained else "one part is empty"
            raise DatasetError(f"{file} needs lines of split train and of split test; {what}.")
        return (Fold(np.flatnonzero(~tested), np.flatnonzero(tested)),)


def _read(file: Path) -> list[Line]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            reader = csv.DictReader(text)
            columns = [str(name).strip() for name in reader.fieldnames or []]
            reader.fieldnames = columns
            _require_columns(file, columns)
            lines = [
                (reader.line_num, {key: (cell or "").strip() for key, cell in line.items() if key}) for line in reader
            ]
    except OSError as error:
        raise DatasetError(f"dataset.path={file} cannot be read: {error.strerror}.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{file} is no CSV in UTF-8: {error}.") from error
    for row, line in lines:
        for column in ("path", "label"):
            if not line[column]:
                raise DatasetError(f"{file}, line {row}: no {column}.")
    if not lines:
        raise DatasetError(f"{file} lists no images.")
    return lines


def _require_columns(file: Path, columns: list[str]) -> None:
    for column in ("path", "label"):
        if column not in columns:
            near = get_close_matches(column, columns, 1)
            hint = f" (rename '{near[0]}'?)" if near else ""
            raise DatasetError(f"{file} has no column '{column}'{hint}; its columns: {', '.join(columns) or 'none'}.")
    if any(name in columns for name in BOX) and not all(name in columns for name in BOX):
        raise DatasetError(f"{file} has some of the columns {', '.join(BOX)}; a box needs all four.")


def _box(file: Path, row: int, line: Mapping[str, str]) -> Box | None:
    cells = [line.get(name, "") for name in BOX]
    if not any(cells):
        return None
    try:
        x1, y1, x2, y2 = (float(cell) for cell in cells)
    except ValueError:
        raise DatasetError(f"{file}, line {row}: the box {','.join(cells)} is not four numbers.") from None
    return None if any(math.isnan(edge) for edge in (x1, y1, x2, y2)) else (x1, y1, x2, y2)
