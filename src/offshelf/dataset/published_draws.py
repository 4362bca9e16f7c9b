"""Published few-shot draws, such as those of CoOp (Zhou et al., IJCV 2022), from a folder of JSON files.

`shot_4-seed_1.json` lists the training images of one draw: {"train": [PATH, …]}. The form of Lin et al. (Multimodality
Helps Unimodality, CVPR 2023), {"train": {"data": [{"impath": PATH}, …]}}, is read too. A file `split_….json` in the
same folder, {"test": [[PATH, LABEL, CLASS], …]}, names the test images; without it they are those of the data set.
CoOp's own draws are pickles of Python objects, which are not read.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from offshelf.dataset.imageset import Fold, ImageSet, Sample, TrainingSize
from offshelf.errors import DatasetError
from offshelf.names import listed

NAME = re.compile(r"shot_(\d+)-seed_(\d+)\.json")


def read_draws(images: ImageSet, folder: str, shots: Sequence[float]) -> ImageSet:
    """Return a set with the training subsets of a folder.

    Args:
        images: The set, whose ids end the published paths, with or without a suffix.
        folder: The folder.
        shots: Numbers of shots to read; empty: all that are there.

    Raises:
        DatasetError: A file is missing or damaged, or names images that the set lacks, or tests.
    """
    place = Path(folder).expanduser().absolute()
    files = _files(place)
    lacking = [str(number) for number in sorted(set(shots) - set(files))]
    if lacking:
        there = ", ".join(map(str, sorted(files)))
        raise DatasetError(f"{place} has no draws of {', '.join(lacking)} shots; dataset.shots may be {there}.")
    row_of = _Rows(images)
    test = _test(images, place, row_of)
    sizes = []
    for number in sorted(set(shots) or files):
        folds = tuple(Fold(row_of.all(_listed(file, "train"), file), test) for file in files[int(number)])
        for fold, file in zip(folds, files[int(number)], strict=True):
            _require_apart(images, fold, file)
        sizes.append(TrainingSize(number, "shots", len(folds), folds))
    return _with_classes(replace(images, folds=sizes[-1].folds, sizes=tuple(sizes)))


class _Rows:
    """The rows of a set by the ends of paths, without suffixes."""

    def __init__(self, images: ImageSet) -> None:
        self.name = images.name
        self.by_id = {_stem(sample.id): row for row, sample in enumerate(images.samples)}

    def all(self, paths: Sequence[str], file: Path) -> np.ndarray:
        """Return the rows of published paths, int64. Raises DatasetError if the set lacks some, or one is twice."""
        rows = [next((self.by_id[end] for end in _ends(path) if end in self.by_id), -1) for path in paths]
        unknown = [path for path, row in zip(paths, rows, strict=True) if row < 0]
        if unknown:
            raise DatasetError(
                f"{file} lists {len(unknown)} image(s) that {self.name} does not have: {listed(unknown)}. Draws of "
                "another data set, or of other parts of it?"
            )
        if len(set(rows)) < len(rows) or not rows:
            raise DatasetError(f"{file} lists {'an image twice' if rows else 'no images'}.")
        return np.array(rows, np.int64)


def _files(folder: Path) -> Mapping[int, list[Path]]:
    """Return the files by number of shots, in the order of their seeds. Raises DatasetError if there are none."""
    if not folder.is_dir():
        raise DatasetError(f"dataset.draws={folder} is neither a number nor a folder of draws.")
    named = sorted(
        (int(match[1]), int(match[2]), file) for file in folder.iterdir() if (match := NAME.fullmatch(file.name))
    )
    files: dict[int, list[Path]] = {}
    for number, _, file in named:
        files.setdefault(number, []).append(file)
    if not files:
        pickles = [file for file in folder.iterdir() if file.suffix == ".pkl"]
        why = (
            f" Its {len(pickles)} .pkl file(s) hold Python objects and are not read; convert them to JSON."
            if pickles
            else ""
        )
        raise DatasetError(f"{folder} has no files named shot_4-seed_1.json.{why}")
    return files


def _test(images: ImageSet, folder: Path, row_of: _Rows) -> np.ndarray:
    """Return the rows of the test images: of the published split, else of the data set."""
    splits = sorted(folder.glob("split_*.json"))
    if len(splits) > 1:
        raise DatasetError(f"{folder} has several splits: {', '.join(file.name for file in splits)}. Leave one there.")
    if splits:
        return row_of.all(_listed(splits[0], "test"), splits[0])
    if len(images.folds) != 1:
        raise DatasetError(
            f"{folder} has no split_….json with the test images of its draws, and {images.name} has "
            f"{len(images.folds) or 'no'} splits of its own: place the published split there."
        )
    return images.folds[0].test


def _listed(file: Path, part: str) -> list[str]:
    """Return the paths of one part. Raises DatasetError."""
    try:
        found: Any = json.loads(file.read_text(encoding="utf-8"))[part]
        entries = found["data"] if isinstance(found, dict) else found
        return [_path(entry) for entry in entries]
    except OSError as error:
        raise DatasetError(f"{file} cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise DatasetError(f"{file} is not a JSON file with a list of images '{part}'.") from error


def _path(entry: Any) -> str:
    path = entry["impath"] if isinstance(entry, dict) else entry if isinstance(entry, str) else entry[0]
    if not isinstance(path, str):
        raise TypeError(path)
    return path


def _stem(path: str) -> str:
    return str(PurePosixPath(path.replace("\\", "/")).with_suffix(""))


def _ends(path: str) -> Iterator[str]:
    """Yield the ends of a path without its suffix, the longest first."""
    parts = PurePosixPath(_stem(path)).parts
    for start in range(len(parts)):
        yield "/".join(parts[start:])


def _require_apart(images: ImageSet, fold: Fold, file: Path) -> None:
    both = np.intersect1d(fold.train, fold.test)
    if len(both):
        raise DatasetError(
            f"{file} trains on {len(both)} of the test images, such as '{images.samples[int(both[0])].id}': place the "
            "published split_….json of these draws beside it."
        )


def _with_classes(images: ImageSet) -> ImageSet:
    """Return the set with the classes that are trained on or tested; CoOp's Caltech-101 leaves one out."""
    rows = np.unique(
        np.concatenate([part for size in images.sizes for fold in size.folds for part in (fold.train, fold.test)])
    )
    absent = [] if images.is_multilabel else np.flatnonzero(images.counts(rows) == 0).tolist()
    if not absent:
        return images
    chosen = images.keeping(rows)
    classes = tuple(name for number, name in enumerate(images.classes) if number not in absent)
    number = {name: row for row, name in enumerate(classes)}
    samples = [Sample(one.id, one.image, number[images.classes[int(one.target)]]) for one in chosen.samples]  # type: ignore[arg-type]
    note = f"Without classes that the published draws leave out: {listed(images.classes[row] for row in absent)}."
    return replace(chosen, classes=classes, samples=samples, notes=(*images.notes, note))
