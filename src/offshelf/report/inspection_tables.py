"""Tables of an inspection: what is found, as columns of CSV files, and a table of images with suggestions to edit."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from offshelf.dataset import ImageFile
from offshelf.inspection.inspection import Inspection
from offshelf.inspection.labels import NONE
from offshelf.inspection.odd import KINDS
from offshelf.inspection.pixels import COLUMNS
from offshelf.names import readable
from offshelf.report.metadata_settings import separator_of

Columns = dict[str, list[Any]]


def path_of(inspection: Inspection, row: int) -> str:
    """Return the absolute path of an image; empty where it is no file of its own."""
    image = inspection.images.samples[row].image
    if isinstance(image, ImageFile) and isinstance(image.path, Path):
        return readable(str(image.path.absolute()))
    return ""


def class_name(inspection: Inspection, number: int) -> str:
    """Return the name of a class; nothing where an image lacks a label."""
    return "" if number == NONE else readable(inspection.images.classes[number])


def label_columns(inspection: Inspection) -> Columns:
    """Return a row per checked label, the most probably wrong first: 1 in `flagged` where it probably is."""
    labels = inspection.labels
    if labels is None:
        return {}
    return {
        **_images(inspection, labels.rows),
        "label": [class_name(inspection, number) for number in labels.given.tolist()],
        "suggested_label": [class_name(inspection, number) for number in labels.suggested.tolist()],
        "label_probability": _rounded(labels.own),
        "suggested_probability": _rounded(labels.other),
        "flagged": labels.flagged.astype(int).tolist(),
    }


def copy_columns(inspection: Inspection) -> Columns:
    """Return a row per image of a group of copies, the most alike groups first."""
    groups = inspection.copies.groups
    rows = np.concatenate([np.zeros(0, np.int64), *(group.rows for group in groups)])
    each = [(number, group) for number, group in enumerate(groups, 1) for _ in group.rows]
    return {
        "group": [number for number, _ in each],
        **_images(inspection, rows),
        "label": _labels(inspection, rows),
        "same": ["bytes" if group.is_exact else "nearly" for _, group in each],
        "likeness": [round(group.likeness, 4) for _, group in each],
        "two_labels": [int(group.has_two_labels) for _, group in each],
        "crosses_split": [int(group.crosses) for _, group in each],
    }


def odd_columns(inspection: Inspection) -> Columns:
    """Return a row per odd image, the oddest of each kind first."""
    odd, rows = inspection.odd, inspection.odd.order
    pixels = inspection.pixels
    measured = {name: _rounded(getattr(pixels, name)[rows]) for name in COLUMNS} if pixels else {}
    return {
        **_images(inspection, rows),
        "label": _labels(inspection, rows),
        "kinds": ["; ".join(KINDS[kind] for kind in odd.kinds(row)) for row in rows.tolist()],
        "distance": _rounded(odd.distances_N[rows]),
        **measured,
    }


def pair_columns(inspection: Inspection) -> Columns:
    """Return a row per pair of classes that are taken for each other, the least told apart first."""
    pairs = inspection.pairs
    return {
        "class": [class_name(inspection, pair.one) for pair in pairs],
        "other_class": [class_name(inspection, pair.other) for pair in pairs],
        "taken_for_other": [pair.taken[0] for pair in pairs],
        "other_taken_for_it": [pair.taken[1] for pair in pairs],
        "error": [round(pair.error, 4) for pair in pairs],
        "error_low": [round(pair.low, 4) for pair in pairs],
        "flagged": [int(pair.is_flagged) for pair in pairs],
    }


def part_columns(inspection: Inspection) -> Columns:
    """Return a row per image of a class that falls into two parts, the most central of each part first."""
    each = [(one, number, rows) for one in inspection.divided for number, rows in enumerate(one.parts, 1)]
    rows = np.concatenate([np.zeros(0, np.int64), *(rows for _, _, rows in each)])
    long = [(one, number) for one, number, rows in each for _ in rows]
    return {
        "class": [class_name(inspection, one.number) for one, _ in long],
        "part_of_class": [number for _, number in long],
        "separation": [round(one.separation, 4) for one, _ in long],
        **_images(inspection, rows),
    }


def metadata_columns(inspection: Inspection) -> Columns:
    """Return a row per image as `dataset=csv` reads it, with what is suggested; nothing where images are no files.

    `label` is as it was, `suggested_label` as it probably should be; `split` is that of the set where it has one.
    """
    images = inspection.images
    every = np.arange(len(images.samples))
    paths = [path_of(inspection, row) for row in every.tolist()]
    if not all(paths):
        return {}
    columns: Columns = {"path": paths, "label": cells(inspection)}
    if set(inspection.parts_N) == {"train", "test"}:  # also where training images are drawn several times
        columns["split"] = inspection.parts_N.tolist()
    if any(image.region is not None for image in images.pictures):  # type: ignore[attr-defined]
        boxes = [image.region or ("", "", "", "") for image in images.pictures]  # type: ignore[attr-defined]
        columns |= {name: [box[at] for box in boxes] for at, name in enumerate(("x1", "y1", "x2", "y2"))}
    if images.groups is not None:
        columns["group"] = [readable(images.groups.names[number]) for number in images.groups.numbers_N]
    return columns | {"suggested_label": suggested_cells(inspection), **finding_columns(inspection)}


def finding_columns(inspection: Inspection) -> Columns:
    """Return for every image the id of the one it is a copy of, and how it is odd; empty where it is not."""
    samples, odd = inspection.images.samples, inspection.odd
    copy_of = [""] * len(samples)
    for group in inspection.copies.groups:
        for row in group.rows[1:].tolist():
            copy_of[row] = readable(samples[int(group.rows[0])].id)
    kinds = [""] * len(samples)
    for row in odd.order.tolist():
        kinds[row] = "; ".join(KINDS[kind] for kind in odd.kinds(row))
    return {"copy_of": copy_of, "odd": kinds}


def cells(inspection: Inspection) -> list[Any]:
    """Return the label of every image as it stands in a cell: of numbers the number itself."""
    images = inspection.images
    if images.kind != "labels":
        return _labels(inspection, np.arange(len(images.samples)))
    separator = separator_of(images.classes)
    return [_joined(images.classes, targets > 0, separator) for targets in images.targets]


def suggested_cells(inspection: Inspection) -> list[Any]:
    """Return the label of every image with the suggestions for flagged ones."""
    images, labels = inspection.images, inspection.labels
    if labels is None:
        return cells(inspection)
    if images.kind == "class":
        known = labels.suggestions()
        return [
            class_name(inspection, known[row]) if row in known else label
            for row, label in enumerate(_labels(inspection, np.arange(len(images.samples))))
        ]
    has_NK = images.targets > 0
    number = np.where(labels.given == NONE, labels.suggested, labels.given)
    has_NK[labels.rows, number] = labels.given == NONE
    separator = separator_of(images.classes)
    return [_joined(images.classes, has, separator) for has in has_NK]


def _joined(classes: Sequence[str], has_K: np.ndarray, separator: str) -> str:
    return readable(separator.join(classes[number] for number in np.flatnonzero(has_K).tolist()))


def _images(inspection: Inspection, rows: np.ndarray) -> Columns:
    """Return id, part and path of images; no paths where images are no files."""
    ids = [readable(inspection.images.samples[row].id) for row in rows.tolist()]
    columns: Columns = {"id": ids, "part": inspection.parts_N[rows].tolist()}
    paths = [path_of(inspection, row) for row in rows.tolist()]
    return columns | ({"path": paths} if any(paths) else {})


def _labels(inspection: Inspection, rows: np.ndarray) -> list[Any]:
    images = inspection.images
    if images.kind == "number":
        return [float(number) for number in images.targets[rows].tolist()]
    return [readable(images.label(row)) for row in rows.tolist()]


def _rounded(values: np.ndarray) -> list[float]:
    return np.round(values, 4).tolist()
