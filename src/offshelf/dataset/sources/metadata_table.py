"""Tables beside images: `metadata.csv`, `.jsonl`, `.parquet` with a column `file_name`, as `imagefolder` has them."""

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from typing_extensions import override

from offshelf.dataset.imageset import LeftOut
from offshelf.dataset.kind import is_named_image
from offshelf.dataset.sources.shards import below, part_in
from offshelf.dataset.sources.table_file import TableFile, faults_of
from offshelf.dataset.sources.tables import Part, declared_part
from offshelf.dataset.split_names import part_of
from offshelf.dataset.walk import NO_SAMPLE
from offshelf.errors import DatasetError

NAMES = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
FILE_NAME = "file_name"
SPLIT = "split"


class MemoryTable(TableFile):
    """A table that was read as a whole."""

    def __init__(self, path: Path, table: Any) -> None:
        super().__init__(path)
        self.table = table

    @override
    def __getstate__(self) -> dict[str, Any]:
        return dict(self.__dict__)

    @property
    @override
    def schema(self) -> Any:
        return self.table.schema

    @property
    @override
    def rows(self) -> int:
        return int(self.table.num_rows)

    @override
    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        return iter(self.table.select(list(columns)).to_batches())

    @override
    def pieces(self, column: str) -> np.ndarray:
        return np.array([self.table.num_rows], np.int64)

    @override
    def read(self, piece: int, column: str) -> Any:
        return self.table.column(column)


def find_metadata(folder: Path) -> list[Part]:
    """Return the tables beside the images of a folder. Raises DatasetError if one cannot be read."""
    paths = [path for path in below(folder) if path.name in NAMES]
    places = [path.parent for path in paths]
    twice = [path for path in paths if places.count(path.parent) > 1]
    if twice:
        raise DatasetError(f"{twice[0]} and {twice[1].name} are beside each other; keep one of them.")
    return [_part(folder, path) for path in paths]


def unlisted(folder: Path, parts: Sequence[Part]) -> list[LeftOut]:
    """Return the images below a folder that no table lists."""
    known = {
        (part.table.path.parent / str(cell)).as_posix()
        for part in parts
        for batch in part.table.batches([FILE_NAME])
        for cell in batch.column(0).to_pylist()
    }
    found = [path for path in below(folder) if is_named_image(path.name) and path.as_posix() not in known]
    return [LeftOut(path.relative_to(folder).as_posix(), NO_SAMPLE, "not in the metadata") for path in found]


def _part(folder: Path, path: Path) -> Part:
    with faults_of(path):
        table = {".csv": _csv, ".jsonl": _jsonl, ".parquet": _parquet}[path.suffix](path)
    if FILE_NAME not in table.column_names:
        raise DatasetError(f"{path} has no column '{FILE_NAME}'; its columns: {', '.join(table.column_names)}.")
    name = path.relative_to(folder).as_posix()
    part = part_in(name)
    if not part and SPLIT not in table.column_names:
        table = _with_split(table)
    return declared_part(MemoryTable(path, table), name, part)


def _with_split(table: Any) -> Any:
    """Return a table with the first folders of its files as split, if all of these are parts."""
    import pyarrow

    first = [(*PurePosixPath(str(cell)).parts, "")[0] for cell in table.column(FILE_NAME).to_pylist()]
    names = set(first)
    if len(names) < 2 or not all(part_of(name) for name in names):
        return table
    return table.append_column(SPLIT, pyarrow.array(first))


def _csv(path: Path) -> Any:
    """Return a table of texts: 007 stays 007."""
    import pyarrow.csv

    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header = next(csv.reader(file), [])
    except UnicodeError as error:
        raise DatasetError(f"{path} is not CSV in UTF-8.") from error
    if len(set(header)) < len(header):
        raise DatasetError(f"{path} has two columns of one name; rename one.")
    types = dict.fromkeys(header, pyarrow.string())
    return pyarrow.csv.read_csv(
        path,
        parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
        convert_options=pyarrow.csv.ConvertOptions(column_types=types),
    )


def _jsonl(path: Path) -> Any:
    import pyarrow

    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeError as error:
        raise DatasetError(f"{path} is not JSON in UTF-8.") from error
    rows = [_object(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]
    keys = dict.fromkeys(key for row in rows for key in row)
    return pyarrow.table({key: [row.get(key) for row in rows] for key in keys})


def _object(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError as error:
        raise DatasetError(f"{path}, line {number}: not JSON ({error}).") from error
    if not isinstance(found, dict):
        raise DatasetError(f"{path}, line {number}: not a JSON object.")
    return found


def _parquet(path: Path) -> Any:
    import pyarrow.parquet

    return pyarrow.parquet.ParquetFile(path).read()
