"""Tables as text: CSV as spreadsheets, pandas and people write it, read by the names of its columns."""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from offshelf.dataset.kind import is_named_image
from offshelf.dataset.split_names import part_among, part_of
from offshelf.errors import ConfigError, DatasetError
from offshelf.names import listed

COLUMNS = ("path", "label", "split", "x1", "y1", "x2", "y2")
TYPED = "path with its spaces"
"""Key of a path's cell as it was typed, where it has spaces around it: files are named so too."""
BOX = COLUMNS[3:]
NEEDED = COLUMNS[:2]
OTHER_BOX = ("xmin", "ymin", "xmax", "ymax")
DELIMITERS = (",", ";", "\t", "|")
MOST_PARTS = 10
"""Words of a column, train and test among them, by which it may be a split."""
SYNONYMS = {
    "path": (
        *("image", "file", "filename", "file_name", "filepath", "file_path", "image_path", "img_path", "img", "fname"),
        *("image_name", "images", "image_file", "picture", "photo", "name", "uri", "image_id", "id"),
    ),
    "label": (
        *("class", "category", "target", "labels", "classes", "class_name", "label_name", "species", "tag", "tags"),
        *("y", "diagnosis", "breed", "class_id", "label_id"),
    ),
}
"""Names that other tables have for a column."""

Line = tuple[int, dict[str, str]]
"""Its number, and its cells by our names of the columns."""


@dataclass(frozen=True)
class Table:
    """A file's lines."""

    file: Path
    lines: list[Line]
    has: frozenset[str]
    """Our names of the columns that are there."""
    notes: tuple[str, ...]


def require_columns(columns: Mapping[str, str | None]) -> None:
    """Raise ConfigError for what is no choice of columns."""
    for name, theirs in columns.items():
        if name not in COLUMNS:
            raise ConfigError(f"dataset.columns has no key '{name}'. There are: {', '.join(COLUMNS)}.")
        if theirs is None and name in NEEDED:
            raise ConfigError(f"dataset.columns.{name} is a column's name; it cannot be null.")


def read_table(
    file: Path, columns: Mapping[str, str | None], delimiter: str | None = None, encoding: str | None = None
) -> Table:
    """Read the columns that are asked for.

    Raises:
        DatasetError: it cannot be read, lacks a column, or has lines that do not fit its header.
    """
    text = _decoded(file, encoding)
    wanted = {name: None if columns.get(name, name) is None else str(columns.get(name, name)) for name in COLUMNS}
    start, given = _excel(text)
    header, sign = _header(text[start:], wanted, delimiter or given)
    place = _places(file, header, wanted)
    try:
        reader = csv.reader(io.StringIO(text[start:], newline=""), delimiter=sign, strict=True)
        rows = [(reader.line_num + bool(start), row) for row in reader if any(cell.strip() for cell in row)][1:]
    except csv.Error as error:
        raise DatasetError(f"{file}, line {reader.line_num}: it is no CSV: {error}.") from error
    if not rows:
        raise DatasetError(f"{file} lists no images.")
    long = [number for number, row in rows if any(cell.strip() for cell in row[len(header) :])]
    if long:
        raise DatasetError(
            f"{at(file, long)}: more cells than its header has, {len(header)}. A cell with '{sign}' in it stands in "
            'double quotes: "a, b.png"'
        )
    lines = [(number, {name: _cell(row, column) for name, column in place.items()}) for number, row in rows]
    for (_, cells), (_, row) in zip(lines, rows, strict=True):
        if row[place["path"] : place["path"] + 1] not in ([], [cells["path"]]):
            cells[TYPED] = row[place["path"]]
    _require_cells(file, lines, [name for name in NEEDED if name in place])
    used = set(place.values())
    unused = {
        name: [_cell(row, number) for _, row in rows]
        for number, name in enumerate(header)
        if number not in used and name
    }
    _question_splits(file, wanted, place, unused)
    notes = [f"Cells are separated by {sign!r}."] if sign != "," else []
    notes += [f"Columns that are not read: {listed(unused)}."] if unused else []
    notes += _unread_boxes(place, unused)
    return Table(file, lines, frozenset(place), tuple(notes))


def at(file: Path, numbers: Sequence[int]) -> str:
    """Where in a file: `x.csv, line 3`; `x.csv, lines 3, 8, 9 and 4 more`."""
    return f"{file}, line{'s' if len(numbers) > 1 else ''} {listed(map(str, numbers))}"


def _decoded(file: Path, encoding: str | None) -> str:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise DatasetError(f"dataset.path={file} cannot be read: {error.strerror}.") from error
    if data[:4] == b"PK\x03\x04" or data[:2] == b"\x1f\x8b" or data[:4] == b"\xd0\xcf\x11\xe0":
        raise DatasetError(f"{file} is no CSV, but a spreadsheet or an archive. Save it as CSV, in UTF-8.")
    found = encoding or ("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    try:
        text = data.decode("utf-8-sig" if found.lower() in ("utf-8", "utf8") else found)
    except LookupError as error:
        raise ConfigError(f"dataset.encoding={encoding} is no encoding that Python knows.") from error
    except UnicodeError as error:
        row = data[: getattr(error, "start", 0)].count(b"\n") + 1
        raise DatasetError(
            f"{file} is no CSV in UTF-8: line {row}: {error}. Save it as UTF-8, or say what it is in: "
            "dataset.encoding=cp1252"
        ) from error
    if "\0" in text:
        raise DatasetError(f"{file} is no CSV in UTF-8: it has zero bytes in it. Save it as CSV, in UTF-8.")
    return text


def _excel(text: str) -> tuple[int, str | None]:
    """Where the header begins, and the delimiter that a line `sep=;` before it says."""
    found = re.match(r"sep=(.)\r?\n", text)
    return (found.end(), found[1]) if found else (0, None)


def _header(text: str, wanted: Mapping[str, str | None], delimiter: str | None) -> tuple[list[str], str]:
    """Names of the columns and the delimiter that gives those that are needed or, where none does, most columns."""
    read: list[tuple[list[str], str]] = []
    for sign in [delimiter] if delimiter else DELIMITERS:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=sign)
        read.append(([name.strip() for name in next((row for row in reader if any(row)), [])], sign))
    needed = {(wanted[name] or "").casefold() for name in NEEDED}
    for header, sign in read:
        if needed <= {name.casefold() for name in header}:
            return header, sign
    return max(read, key=lambda one: len(one[0]))


def _places(file: Path, header: Sequence[str], wanted: Mapping[str, str | None]) -> dict[str, int]:
    """The number of each column, by our names. Raises DatasetError where one is missing or there twice."""
    places: dict[str, int] = {}
    for name, theirs in wanted.items():
        if theirs is None:
            continue
        exact = [number for number, found in enumerate(header) if found == theirs]
        alike = exact or [number for number, found in enumerate(header) if found.casefold() == theirs.casefold()]
        if len(alike) > 1:
            raise DatasetError(f"{file} has {len(alike)} columns '{theirs}'; rename one.")
        if alike:
            places[name] = alike[0]
        elif name in NEEDED or theirs != name:
            raise DatasetError(_missing(file, header, wanted, name))
    twice = [name for name, place in places.items() if list(places.values()).count(place) > 1]
    if twice:
        raise DatasetError(
            f"{file}: {' and '.join(twice)} are read from one column, '{header[places[twice[0]]]}'; say which is which "
            "by dataset.columns"
        )
    boxes = [name for name in BOX if name in places]
    if boxes and len(boxes) < len(BOX):
        raise DatasetError(f"{file} has some of the columns {', '.join(BOX)}; a box needs all four.")
    return places


def _missing(file: Path, header: Sequence[str], wanted: Mapping[str, str | None], name: str) -> str:
    """The sentence on a column that is not there, with the likely ones."""
    if any(map(is_named_image, header)):
        return (
            f"{file} has no header: its first line is {', '.join(header)}. Put the columns' names before it: path,label"
        )
    by_fold = {found.casefold(): found for found in header}
    likely = []
    for one in (name, *(other for other in NEEDED if other != name)):
        theirs = wanted[one] or one
        if theirs.casefold() in by_fold:
            continue
        near = [by_fold[word] for word in SYNONYMS.get(one, ()) if word in by_fold] or get_close_matches(
            theirs, header, 1
        )
        likely += [f"dataset.columns.{one}={near[0]}"] if near else []
    way = f" Say which is meant: {' '.join(likely)}" if likely else f" Say which is meant: dataset.columns.{name}=…"
    near = get_close_matches(wanted[name] or name, header, 1)
    hint = f" (rename '{near[0]}'?)" if near else ""
    return f"{file} has no column '{wanted[name]}'{hint}; its columns: {', '.join(header) or 'none'}.{way}"


def _cell(row: Sequence[str], column: int) -> str:
    return row[column].strip() if column < len(row) else ""


def _require_cells(file: Path, lines: Sequence[Line], names: Sequence[str]) -> None:
    for name in names:
        empty = [number for number, line in lines if not line[name]]
        if empty and (name == "path" or len(empty) == len(lines)):
            raise DatasetError(f"{at(file, empty)}: no {name}.")


def _question_splits(
    file: Path, wanted: Mapping[str, str | None], place: Mapping[str, int], unused: Mapping[str, Sequence[str]]
) -> None:
    """Raise DatasetError where a column that is not read holds a split."""
    if "split" in place or wanted["split"] is None:
        return
    for name, cells in unused.items():
        values = sorted(set(cells) - {""})
        parts = {part_of(value) for value in values}
        is_split = len(parts) > 1 and None not in parts
        has_split = {"train", "test"} <= parts and len(values) <= MOST_PARTS
        if is_split or has_split or (part_among(name) and len(values) == 2):
            words = "" if None not in parts else ", with train and test in it"
            raise DatasetError(
                f"{file} has a column '{name}' that reads like a split: {listed(values)}. Use it{words}: "
                f"dataset.columns.split={name}; or draw a split: dataset.columns.split=null"
            )


def _unread_boxes(place: Mapping[str, int], unused: Mapping[str, object]) -> list[str]:
    """A remark on columns that hold boxes under other names."""
    by_fold = {name.casefold(): name for name in unused}
    if "x1" in place or not all(name in by_fold for name in OTHER_BOX):
        return []
    settings = " ".join(f"dataset.columns.{ours}={by_fold[name]}" for ours, name in zip(BOX, OTHER_BOX, strict=True))
    return [f"Images are seen whole; for the boxes: {settings}."]
