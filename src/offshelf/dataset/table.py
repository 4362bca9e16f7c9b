"""Tables as text: CSV written by spreadsheets, pandas and people, read by column names."""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from offshelf.dataset.formulas import unmark
from offshelf.dataset.kind import is_named_image
from offshelf.dataset.remote.file import Place
from offshelf.dataset.split_names import part_among, part_of
from offshelf.errors import ConfigError, DatasetError
from offshelf.names import listed

COLUMNS = ("path", "label", "split", "x1", "y1", "x2", "y2")
TYPED = "path with its spaces"
"""Key of a path's cell with its surrounding spaces, because file names may have them."""
BOX = COLUMNS[3:]
NEEDED = COLUMNS[:2]
GROUP = "group"
"""Our name of the column that says which images belong together; `dataset.group` has the table's."""
GROUPING = (
    *(
        "group",
        "patient",
        "subject",
        "participant",
        "person",
        "individual",
        "animal",
        "case",
        "study",
        "series",
        "slide",
    ),
    *("video", "clip", "scene", "sequence", "session", "place", "location", "site"),
)
"""Names of columns, without `id`, that may be groups."""
OTHER_BOX = ("xmin", "ymin", "xmax", "ymax")
DELIMITERS = (",", ";", "\t", "|")
MOST_PARTS = 10
"""Largest number of distinct words in a column, train and test among them, that may be a split."""
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
"""Names of columns in other tables."""

Line = tuple[int, dict[str, str]]
"""Line number, and cells by our names of the columns."""


@dataclass(frozen=True)
class Table:
    """The lines of a file."""

    file: Place
    lines: list[Line]
    has: frozenset[str]
    """Our names of the existing columns."""
    notes: tuple[str, ...]


Columns = Mapping[str, str | Sequence[str] | None]
"""The table's names of columns by ours; of the labels also several."""


def require_columns(columns: Columns) -> None:
    """Raise ConfigError for an invalid choice of columns."""
    for name, theirs in columns.items():
        if name not in COLUMNS:
            raise ConfigError(f"dataset.columns has no key '{name}'. There are: {', '.join(COLUMNS)}.")
        if theirs is None and name in NEEDED:
            raise ConfigError(f"dataset.columns.{name} must be a column's name, not null.")
        if not isinstance(theirs, str | int | float | None) and (
            name != "label" or len(set(theirs)) < max(2, len(theirs))
        ):
            raise ConfigError(
                f"dataset.columns.{name} is a column's name; of label also a list of two or more different ones; "
                f"got {list(theirs)}."
            )


def read_table(file: Place, columns: Columns, delimiter: str | None = None, encoding: str | None = None) -> Table:
    """Read the requested columns. Those of several label columns have the keys `label 0`, `label 1` and so on.

    Raises:
        DatasetError: The file cannot be read, lacks a column, or has lines that do not fit its header.
    """
    text = _decoded(file, encoding)
    wanted = _wanted(columns)
    start, given = _excel(text)
    header, sign = _header(text[start:], wanted, delimiter or given)
    place = _places(file, header, wanted)
    try:
        reader = csv.reader(io.StringIO(text[start:], newline=""), delimiter=sign, strict=True)
        rows = [(reader.line_num + bool(start), row) for row in reader if any(cell.strip() for cell in row)][1:]
    except csv.Error as error:
        raise DatasetError(f"{file}, line {reader.line_num}: not valid CSV: {error}.") from error
    if not rows:
        raise DatasetError(f"{file} lists no images.")
    long = [number for number, row in rows if any(cell.strip() for cell in row[len(header) :])]
    if long:
        raise DatasetError(
            f"{at(file, long)}: more cells than its header, which has {len(header)}. Quote a cell that contains "
            f"'{sign}': \"a, b.png\""
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
    notes = [f"The delimiter is {sign!r}."] if sign != "," else []
    notes += [f"Unused columns: {listed(unused)}."] if unused else []
    notes += _unread_boxes(place, unused)
    notes += [] if GROUP in place else _unread_groups(unused)
    return Table(file, lines, frozenset(place), tuple(notes))


def _wanted(columns: Columns) -> dict[str, str | None]:
    """Return the table's names of columns by ours; None for one that is not read."""
    given = {name: columns.get(name, name) for name in COLUMNS} | {GROUP: columns.get(GROUP)}
    several = given["label"]
    wanted = {name: None if theirs is None else str(theirs) for name, theirs in given.items()}
    if several is None or isinstance(several, str | int | float):
        return wanted
    del wanted["label"]
    return wanted | {f"label {number}": str(name) for number, name in enumerate(several)}


def at(file: Place, numbers: Sequence[int]) -> str:
    """Return a location in a file: `x.csv, line 3`; `x.csv, lines 3, 8, 9 and 4 more`."""
    return f"{file}, line{'s' if len(numbers) > 1 else ''} {listed(map(str, numbers))}"


def _decoded(file: Place, encoding: str | None) -> str:
    try:
        data = file.read_bytes()
    except OSError as error:
        raise DatasetError(f"dataset.path={file} cannot be read: {error.strerror}.") from error
    if data[:4] == b"PK\x03\x04" or data[:2] == b"\x1f\x8b" or data[:4] == b"\xd0\xcf\x11\xe0":
        raise DatasetError(f"{file} is not CSV, but a spreadsheet or an archive. Save it as CSV, in UTF-8.")
    found = encoding or ("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    try:
        text = data.decode("utf-8-sig" if found.lower() in ("utf-8", "utf8") else found)
    except LookupError as error:
        raise ConfigError(f"dataset.encoding={encoding} is not an encoding that Python knows.") from error
    except UnicodeError as error:
        row = data[: getattr(error, "start", 0)].count(b"\n") + 1
        raise DatasetError(
            f"{file} is not CSV in UTF-8: line {row}: {error}. Save it as UTF-8, or set its encoding: "
            "dataset.encoding=cp1252"
        ) from error
    if "\0" in text:
        raise DatasetError(f"{file} is not CSV in UTF-8: it contains zero bytes. Save it as CSV, in UTF-8.")
    return text


def _excel(text: str) -> tuple[int, str | None]:
    """Return where the header begins, and the delimiter that a line `sep=;` before it declares."""
    found = re.match(r"sep=(.)\r?\n", text)
    return (found.end(), found[1]) if found else (0, None)


def _header(text: str, wanted: Mapping[str, str | None], delimiter: str | None) -> tuple[list[str], str]:
    """Return column names and the delimiter that gives the needed ones or, if none does, the most columns."""
    read: list[tuple[list[str], str]] = []
    for sign in [delimiter] if delimiter else DELIMITERS:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=sign)
        read.append(([name.strip() for name in next((row for row in reader if any(row)), [])], sign))
    needed = {(wanted.get(name) or "").casefold() for name in NEEDED if name in wanted}
    for header, sign in read:
        if needed <= {name.casefold() for name in header}:
            return header, sign
    return max(read, key=lambda one: len(one[0]))


def _places(file: Place, header: Sequence[str], wanted: Mapping[str, str | None]) -> dict[str, int]:
    """Return the number of each column, by our names. Raises DatasetError if one is missing or repeated."""
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
        elif name in (*NEEDED, GROUP) or theirs != name:
            raise DatasetError(_missing(file, header, wanted, name))
    twice = [name for name, place in places.items() if list(places.values()).count(place) > 1]
    if twice:
        raise DatasetError(
            f"{file}: {' and '.join(twice)} are read from one column, '{header[places[twice[0]]]}'; separate them with "
            "dataset.columns"
        )
    boxes = [name for name in BOX if name in places]
    if boxes and len(boxes) < len(BOX):
        raise DatasetError(f"{file} has some of the columns {', '.join(BOX)}; a box needs all four.")
    return places


def _missing(file: Place, header: Sequence[str], wanted: Mapping[str, str | None], name: str) -> str:
    """Return the sentence on a missing column, with likely ones."""
    if any(map(is_named_image, header)):
        return (
            f"{file} has no header: its first line is {', '.join(header)}. Put the columns' names before it: path,label"
        )
    by_fold = {found.casefold(): found for found in header}
    likely = []
    for one in (name, *(other for other in NEEDED if other != name)):
        theirs = wanted.get(one) or one
        if theirs.casefold() in by_fold:
            continue
        near = [by_fold[word] for word in SYNONYMS.get(one, ()) if word in by_fold] or get_close_matches(
            theirs, header, 1
        )
        likely += [f"{_key(one)}={near[0]}"] if near else []
    way = f" Choose it: {' '.join(likely)}" if likely else f" Choose it: {_key(name)}=…"
    near = get_close_matches(wanted[name] or name, header, 1)
    hint = f" (rename '{near[0]}'?)" if near else ""
    return f"{file} has no column '{wanted[name]}'{hint}; its columns: {', '.join(header) or 'none'}.{way}"


def _key(name: str) -> str:
    return "dataset.group" if name == GROUP else f"dataset.columns.{name.split()[0]}"


def _cell(row: Sequence[str], column: int) -> str:
    """Return a cell without surrounding spaces, and without the mark of text that is no formula."""
    return unmark(row[column].strip()) if column < len(row) else ""


def _require_cells(file: Place, lines: Sequence[Line], names: Sequence[str]) -> None:
    for name in names:
        empty = [number for number, line in lines if not line[name]]
        if empty and (name == "path" or len(empty) == len(lines)):
            raise DatasetError(f"{at(file, empty)}: no {name}.")


def _question_splits(
    file: Place, wanted: Mapping[str, str | None], place: Mapping[str, int], unused: Mapping[str, Sequence[str]]
) -> None:
    """Raise DatasetError if an unused column holds a split."""
    if "split" in place or wanted["split"] is None:
        return
    for name, cells in unused.items():
        values = sorted(set(cells) - {""})
        parts = {part_of(value) for value in values}
        is_split = len(parts) > 1 and None not in parts
        has_split = {"train", "test"} <= parts and len(values) <= MOST_PARTS
        if is_split or has_split or (part_among(name) and len(values) == 2):
            words = "" if None not in parts else ", with values train and test"
            raise DatasetError(
                f"{file} has a column '{name}' that looks like a split: {listed(values)}. Use it{words}: "
                f"dataset.columns.split={name}; or draw a split: dataset.columns.split=null"
            )


def _unread_groups(unused: Mapping[str, Sequence[str]]) -> list[str]:
    """Return a remark on a column that may say which images belong together."""
    for name, cells in unused.items():
        word = re.sub(r"[\W_]*(id|name|no|number)?[\W_]*$", "", name.casefold())
        if word in GROUPING and 1 < len(set(cells)) < len(cells):
            return [f"Images of one {name} may be on both sides of a split; dataset.group={name} keeps them on one."]
    return []


def _unread_boxes(place: Mapping[str, int], unused: Mapping[str, object]) -> list[str]:
    """Return a remark on columns that hold boxes under other names."""
    by_fold = {name.casefold(): name for name in unused}
    if "x1" in place or not all(name in by_fold for name in OTHER_BOX):
        return []
    settings = " ".join(f"dataset.columns.{ours}={by_fold[name]}" for ours, name in zip(BOX, OTHER_BOX, strict=True))
    return [f"Whole images are used; for the boxes: {settings}."]
