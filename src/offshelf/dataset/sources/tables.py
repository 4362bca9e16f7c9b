"""Rows of tables: images in cells, or files that cells name; labels; the part that a column or a file's name says."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from offshelf.dataset.groups import Groups
from offshelf.dataset.location import Locations, Names, Paths
from offshelf.dataset.remote.objects import Objects
from offshelf.dataset.sources.cells import Cells, Source
from offshelf.dataset.sources.columns import AUTO, KEYS, Columns, find_columns, require_images, require_keys
from offshelf.dataset.sources.declared import Declared, of_schema
from offshelf.dataset.sources.labels import Column, Encoder, Labels, Rule
from offshelf.dataset.sources.parts import Parts
from offshelf.dataset.sources.sharded import Rows, Sharded
from offshelf.dataset.sources.table_file import TableFile, faults_of
from offshelf.dataset.sources.tar_index import Coded
from offshelf.errors import DatasetError
from offshelf.names import listed
from offshelf.remote import Url, is_url

PROBED = 20
"""Number of files whose existence is checked before all are read."""


@dataclass(frozen=True, eq=False)
class Part:
    """A table, with the part of the split that its name says; empty if it says none."""

    table: TableFile
    name: str
    part: str
    declared: Declared


@dataclass(frozen=True, kw_only=True)
class InTables(Sharded):
    """Settings of images in tables."""

    columns: Mapping[str, str | None] = field(default_factory=dict, hash=False)
    """Names of the columns `image`, `label` and `split`; `auto` (the default): found if only one can be meant; a split
    of null is not read."""
    root: str | None = None
    """Folder of relative paths, if the images are files; None: the table's folder."""

    group: str | None = None
    """Name of a column: images with one value, such as those of one patient, are on one side of a split."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require_keys(self.columns)

    def rows_of(self, name: str, parts: Sequence[Part], notes: Sequence[str] = ()) -> Rows:
        """Return the rows of tables. Raises DatasetError."""
        columns = _common_columns(parts, self.columns)
        split = _split_column(parts, columns, is_wanted=self.columns.get("split", AUTO) not in (AUTO, None))
        columns = replace(columns, split=split)
        locations, counts = _locations(parts, columns, self.root)
        rule = Rule(columns.label, self.target, self.separator)
        return Rows(
            name,
            locations,
            _parts_of_rows(parts, columns, counts),
            lambda is_used: _labels(name, parts, rule, is_used),
            tuple(filter(None, (*notes, columns.note))),
            groups=_groups(parts, self.group) if self.group is not None else None,
        )


def declared_part(table: TableFile, name: str, part: str, beside: Declared | None = None) -> Part:
    """Return a table with what its schema declares or, if that is nothing, what `beside` does."""
    return Part(table, name, part, of_schema(table.schema) | (beside or Declared()))


def _common_columns(parts: Sequence[Part], wanted: Mapping[str, str | None]) -> Columns:
    """Return the columns of all tables. Raises DatasetError if they differ."""
    first: tuple[Columns, Part] | None = None
    seen: list[Any] = []
    for part in parts:
        schema = part.table.schema
        if any(schema.equals(one) for one in seen[-3:]):
            continue
        seen.append(schema)
        where = str(part.table.path)
        if first:
            _require_same_names(first[1], part, first[0])
        found = find_columns(where, schema, part.declared, wanted)
        require_images(where, schema, found)
        first = first or (found, part)
        if found != first[0]:
            raise DatasetError(_differing(first, (found, part)))
    if not first:
        raise DatasetError("There are no tables.")
    return first[0]


def _differing(one: tuple[Columns, Part], other: tuple[Columns, Part]) -> str:
    """Return the sentence on two tables whose columns differ."""
    keys = [key for key in KEYS if getattr(one[0], key) != getattr(other[0], key)]
    key = keys[0] if keys else "image"
    words = [f"{part.table.path} in '{getattr(columns, key)}'" for columns, part in (other, one)]
    return (
        f"The {key}s of {words[0]}, those of {words[1]}, or of another type. Choose for all: dataset.columns.{key}=NAME"
    )


def _require_same_names(first: Part, part: Part, columns: Columns) -> None:
    """Raise DatasetError if a table lacks a column that the first one has."""
    lacking = [
        name for name in (columns.image, columns.label, columns.split) if name and name not in part.table.schema.names
    ]
    if lacking:
        raise DatasetError(
            f"{part.table.path} has no column '{lacking[0]}', which {first.table.path} has; its columns: "
            f"{', '.join(part.table.schema.names)}."
        )


def _split_column(parts: Sequence[Part], columns: Columns, is_wanted: bool) -> str | None:
    """Return the column of the split. Raises DatasetError if files' names say another split."""
    named = sorted({part.part for part in parts if part.part})
    if columns.split and len(named) > 1 and not is_wanted:
        raise DatasetError(
            f"There is a split in the names of files ({', '.join(named)}) and in the column '{columns.split}'. "
            f"Choose one: dataset.columns.split=null or dataset.columns.split={columns.split}"
        )
    return columns.split


def _locations(parts: Sequence[Part], columns: Columns, root: str | None) -> tuple[Locations, list[int]]:
    """Return where the images are, and the number of rows of each table."""
    counts = [part.table.rows for part in parts]
    if not columns.holds_paths:
        return Cells([Source(part.table, columns.image, part.name) for part in parts]), counts
    cells = (cell for part in parts for cell in _cells(part, columns.image))
    if is_url(root) or is_url(next(cells, None)):
        return _remote(parts, columns, root), counts
    top = Path(root).expanduser().absolute() if root else _top(parts)

    def names() -> Iterator[str]:
        for part in parts:
            inner = PurePath() if root else part.table.path.parent.relative_to(top)
            for cell in _cells(part, columns.image):
                if not cell:
                    raise DatasetError(f"{part.table.path}: '{columns.image}' is empty in some rows.")
                yield (inner / str(cell)).as_posix()

    found = Names(names())
    _require_unique(found, str(parts[0].table.path), columns.image)
    _require_some(top, found, str(parts[0].table.path))
    return Paths(top, found), counts


def _remote(parts: Sequence[Part], columns: Columns, root: str | None) -> Objects:
    """Return where images are whose paths are below an address, or addresses."""
    names = Names(str(cell) for part in parts for cell in _cells(part, columns.image) if cell)
    if len(names) < sum(part.table.rows for part in parts):
        raise DatasetError(f"{parts[0].table.path}: '{columns.image}' is empty in some rows.")
    _require_unique(names, str(parts[0].table.path), columns.image)
    top = Url.of(root if root is not None and is_url(root) else names[0])
    return Objects.at_urls(top, names)


def _top(parts: Sequence[Part]) -> Path:
    folders = {part.table.path.parent for part in parts}
    shortest = min(folders, key=lambda folder: len(folder.parts))
    while not all(folder.is_relative_to(shortest) for folder in folders):
        shortest = shortest.parent
    return shortest


def _cells(part: Part, column: str) -> Iterator[Any]:
    for batch in _batches(part, [column]):
        yield from batch.column(column).to_pylist()


def _batches(part: Part, columns: Sequence[str]) -> Iterator[Any]:
    """Yield record batches. Raises DatasetError if the file is damaged."""
    with faults_of(part.table.path):
        yield from part.table.batches(columns)


def _require_unique(names: Names, where: str, column: str) -> None:
    hashes = np.sort(np.array([hash(names[row]) for row in range(len(names))], np.int64))
    if (hashes[1:] == hashes[:-1]).any():
        seen: set[str] = set()
        again = [name for name in map(names.__getitem__, range(len(names))) if name in seen or seen.add(name)]  # type: ignore[func-returns-value]
        raise DatasetError(
            f"{where}: '{column}' names {listed(again)} more than once; a file is one image with one label."
        )


def _require_some(root: Path, names: Names, where: str) -> None:
    """Raise DatasetError if none of the first files exists; single missing files are reported later."""
    first = [root / names[row] for row in range(min(PROBED, len(names)))]
    if first and not any(path.exists() for path in first):
        raise DatasetError(
            f"None of the files of {where} is there, such as {first[0]}. Set their folder: dataset.root=DIR"
        )


def _parts_of_rows(parts: Sequence[Part], columns: Columns, counts: Sequence[int]) -> Parts:
    number: dict[str, int] = {}

    def known(name: str | None) -> int:
        return number.setdefault(name, len(number)) if name else -1

    if columns.split is None:
        rows = np.repeat(np.array([known(part.part) for part in parts], np.int16), counts)
    else:
        column = columns.split
        rows = np.array([known(_word(cell)) for part in parts for cell in _cells(part, column)], np.int16)
    return Parts(tuple(number), rows)


def _groups(parts: Sequence[Part], column: str) -> Groups:
    """Return the groups of all rows. Raises DatasetError if a table lacks the column, or a row a value."""
    coded = Coded()
    for part in parts:
        found = part.table.schema.names
        if found.count(column) != 1:
            raise DatasetError(
                f"{part.table.path} has {found.count(column) or 'no'} column(s) '{column}' (dataset.group); its "
                f"columns: {', '.join(found)}."
            )
        for row, cell in enumerate(_cells(part, column)):
            if cell is None or cell == "":
                raise DatasetError(
                    f"{part.table.path}, row {row}: '{column}' is empty (dataset.group). Each image needs a group; one "
                    "that belongs to no other is a group of its own, with a name of its own."
                )
            coded.append(str(cell))
    return Groups.of_codes(coded.numbers(), coded.values, column)


def _word(cell: Any) -> str | None:
    return None if cell is None else str(cell).strip()


def _labels(name: str, parts: Sequence[Part], rule: Rule, is_used_N: np.ndarray) -> Labels:
    encoder, start = Encoder(rule), 0
    for part in parts:
        count = part.table.rows
        used = is_used_N[start : start + count]
        start += count
        if used.any():
            _add(encoder, part, rule.column, used)
    return encoder.labels(name)


def _add(encoder: Encoder, part: Part, column: str, is_used_N: np.ndarray) -> None:
    import pyarrow

    start = 0
    for batch in _batches(part, [column]):
        mask = is_used_N[start : start + len(batch)]
        rows = start + np.flatnonzero(mask)
        start += len(batch)
        values = batch.column(column)
        values = values if mask.all() else values.filter(pyarrow.array(mask))
        if len(values):
            encoder.add(Column(str(part.table.path), values, part.declared.names(column), rows))
