"""What an inspection found, in numbers: a row per list, on the terminal and at the top of the page alike."""

from dataclasses import dataclass

from offshelf.inspection.inspection import Inspection
from offshelf.inspection.odd import KINDS
from offshelf.names import readable
from offshelf.terminal.grid import Column, Grid


@dataclass(frozen=True)
class Found:
    """How many of something were found."""

    what: str
    count: int
    file: str
    """The CSV file that has them."""
    section: str
    """The section of the page that shows them."""
    first: str = ""
    """The first of them, in words."""


def found(inspection: Inspection) -> list[Found]:
    """Return a row per list."""
    odd, copies = inspection.odd, inspection.copies.groups
    rows = []
    if inspection.labels is not None:
        rows.append(Found("labels that are probably wrong", *_labels(inspection)))
    leaks = inspection.leaked
    if any(len(fold.test) for fold in inspection.images.folds):
        first = f"{leaks['id'][0]} = {leaks['training_id'][0]}" if leaks["id"] else ""
        rows.append(Found("test images known from training", len(set(leaks["id"])), "leaks.csv", "leaks", first))
    first = " = ".join(_id(inspection, row) for row in copies[0].rows[:2].tolist()) if copies else ""
    rows.append(Found("groups of the same or nearly the same images", len(copies), "copies.csv", "copies", first))
    for kind, values in odd.by_kind.items():
        count = int((values > 0).sum())
        first = _id(inspection, int(values.argmax())) if count else ""
        if count or kind == "far":
            rows.append(Found(f"images {KINDS[kind]}", count, "odd.csv", "odd", first))
    if inspection.images.kind == "class":
        rows.append(Found("pairs of classes that are hardly told apart", *_pairs(inspection)))
        parted = inspection.divided
        first = readable(inspection.images.classes[parted[0].number]) if parted else ""
        rows.append(Found("classes that fall into two parts", len(parted), "class_parts.csv", "divided", first))
    return rows


def inspection_table(inspection: Inspection, title: str) -> Grid:
    """Return the rows as a table for a terminal."""
    words = [Column(name, is_number=False) for name in ("found", "file", "the first")]
    grid = Grid([words[0], Column("number"), *words[1:]], title)
    for one in found(inspection):
        grid.add(one.what, f"{one.count:,}", one.file if one.count else "", one.first)
    return grid


def _labels(inspection: Inspection) -> tuple[int, str, str, str]:
    labels = inspection.labels
    assert labels is not None
    first = ""
    if labels.count:
        names = ["none" if number < 0 else readable(inspection.images.classes[number]) for number in _first(inspection)]
        first = f"{_id(inspection, int(labels.rows[0]))}: {names[0]}, or {names[1]}?"
    return labels.count, "labels.csv", "labels", first


def _first(inspection: Inspection) -> tuple[int, int]:
    labels = inspection.labels
    assert labels is not None
    return int(labels.given[0]), int(labels.suggested[0])


def _pairs(inspection: Inspection) -> tuple[int, str, str, str]:
    flagged = [pair for pair in inspection.pairs if pair.is_flagged]
    names = [readable(inspection.images.classes[number]) for pair in flagged[:1] for number in (pair.one, pair.other)]
    return len(flagged), "confused_classes.csv", "pairs", " and ".join(names)


def _id(inspection: Inspection, row: int) -> str:
    return readable(inspection.images.samples[row].id)
