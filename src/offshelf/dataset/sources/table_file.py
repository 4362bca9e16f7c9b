"""Files of tables, read in pieces that fit into memory: Parquet, and Arrow's two formats (Feather is one of them)."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from typing_extensions import override

from offshelf.errors import DatasetError

SUFFIXES = (".parquet", ".pq", ".arrow", ".feather", ".ipc")
PIECE = 32 << 20
"""Bytes of images that are read at once: larger row groups are read in pieces, one after the other."""
LABEL_ROWS = 1 << 16
"""Rows of labels that are read at once."""


class TableFile(ABC):
    """A file. It can be pickled, and is opened when it is first read."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path}

    @property
    @abstractmethod
    def schema(self) -> Any:
        """Arrow's schema of the file."""

    @property
    @abstractmethod
    def rows(self) -> int:
        """Number of rows."""

    @abstractmethod
    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        """Yield record batches of some columns, all rows in their order."""

    @abstractmethod
    def pieces(self, column: str) -> np.ndarray:
        """Return the number of rows of each piece, int64 [P]."""

    @abstractmethod
    def read(self, piece: int, column: str) -> Any:
        """Return an array of one piece's cells. Pieces are read fastest in their order. Not for several threads."""


class ParquetFile(TableFile):
    """A Parquet file. A piece is a row group, or a part of a large one."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._stream: tuple[tuple[int, str], int, Iterator[Any]] | None = None
        self._places: dict[str, list[tuple[int, int, int]]] = {}

    @override
    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "_stream": None, "_places": {}}

    @cached_property
    def _file(self) -> Any:
        import pyarrow.parquet

        return pyarrow.parquet.ParquetFile(self.path, buffer_size=1 << 20, pre_buffer=False)

    @property
    @override
    def schema(self) -> Any:
        return self._file.schema_arrow

    @property
    @override
    def rows(self) -> int:
        return int(self._file.metadata.num_rows)

    @override
    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        return self._file.iter_batches(LABEL_ROWS, columns=list(columns), use_threads=False)

    @override
    def pieces(self, column: str) -> np.ndarray:
        return np.array([rows for *_, rows in self._places_of(column)], np.int64)

    def _places_of(self, column: str) -> list[tuple[int, int, int]]:
        """Return row group, number of the piece within it, and number of rows of each piece."""
        if column not in self._places:
            self._places[column] = [
                (group, number, min(step, rows - start))
                for group in range(self._file.metadata.num_row_groups)
                for rows, step in [(self._group_rows(group), self._step(group, column))]
                for number, start in enumerate(range(0, rows, step))
            ]
        return self._places[column]

    def _group_rows(self, group: int) -> int:
        return int(self._file.metadata.row_group(group).num_rows)

    def _step(self, group: int, column: str) -> int:
        about = self._file.metadata.row_group(group)
        chunks = [about.column(number) for number in range(about.num_columns)]
        size = sum(one.total_uncompressed_size for one in chunks if one.path_in_schema.partition(".")[0] == column)
        return max(1, about.num_rows * PIECE // max(size, PIECE))

    @override
    def read(self, piece: int, column: str) -> Any:
        group, number, rows = self._places_of(column)[piece]
        if rows == self._group_rows(group):
            return self._file.read_row_group(group, columns=[column], use_threads=False).column(0)
        if not self._stream or self._stream[0] != (group, column) or self._stream[1] > number:
            step = self._step(group, column)
            batches = self._file.iter_batches(step, row_groups=[group], columns=[column], use_threads=False)
            self._stream = (group, column), 0, batches
        key, at, batches = self._stream
        self._stream = None  # until all of it worked
        while True:
            batch = next(batches)
            at += 1
            if at > number:
                self._stream = key, at, batches
                return batch.column(0)


class _Mapped(TableFile):
    """A file in one of Arrow's formats, mapped into memory."""

    @cached_property
    def _source(self) -> Any:
        import pyarrow

        return pyarrow.memory_map(str(self.path))

    @property
    @override
    def schema(self) -> Any:
        return self._schema

    @cached_property
    @abstractmethod
    def _schema(self) -> Any:
        """Arrow's schema of the file."""


class ArrowFile(_Mapped):
    """A file in Arrow's format with random access, as Feather. A piece is a record batch."""

    @cached_property
    def _schema(self) -> Any:
        return self._open(None).schema

    def _open(self, columns: Sequence[str] | None) -> Any:
        import pyarrow

        fields = [self.schema.names.index(column) for column in columns] if columns is not None else None
        options = pyarrow.ipc.IpcReadOptions(included_fields=fields, use_threads=False)
        return pyarrow.ipc.open_file(self._source, options=options)

    @property
    @override
    def rows(self) -> int:
        return int(self._sizes.sum())

    @cached_property
    def _sizes(self) -> np.ndarray:
        """Number of rows of each batch, int64 [P]."""
        reader = self._open([self._smallest()])
        return np.array([reader.get_batch(number).num_rows for number in range(reader.num_record_batches)], np.int64)

    def _smallest(self) -> str:
        """Return a column that takes little memory to read, for its number of rows."""
        import pyarrow

        fixed = [field.name for field in self.schema if pyarrow.types.is_primitive(field.type)]
        return str((fixed or self.schema.names)[0])

    @override
    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        reader = self._open(columns)
        return (reader.get_batch(number).select(list(columns)) for number in range(reader.num_record_batches))

    @override
    def pieces(self, column: str) -> np.ndarray:
        return self._sizes

    @override
    def read(self, piece: int, column: str) -> Any:
        return self._open([column]).get_batch(piece).column(column)


class ArrowStream(_Mapped):
    """A file in Arrow's format for streams, as `datasets` saves. A piece is a record batch."""

    @cached_property
    def _schema(self) -> Any:
        import pyarrow

        self._source.seek(0)
        return pyarrow.ipc.open_stream(self._source).schema

    @cached_property
    def _index(self) -> np.ndarray:
        """Where each batch begins, and its number of rows: int64 [P, 2]."""
        import pyarrow

        self._source.seek(0)
        reader, found = pyarrow.ipc.open_stream(self._source), []
        while True:
            start = self._source.tell()
            try:
                found.append((start, reader.read_next_batch().num_rows))
            except StopIteration:
                return np.array(found, np.int64).reshape(-1, 2)

    @property
    @override
    def rows(self) -> int:
        return int(self._index[:, 1].sum())

    @override
    def batches(self, columns: Sequence[str]) -> Iterator[Any]:
        import pyarrow

        with pyarrow.memory_map(str(self.path)) as source:
            for batch in pyarrow.ipc.open_stream(source):
                yield batch.select(list(columns))

    @override
    def pieces(self, column: str) -> np.ndarray:
        return self._index[:, 1]

    @override
    def read(self, piece: int, column: str) -> Any:
        import pyarrow

        self._source.seek(int(self._index[piece, 0]))
        message = pyarrow.ipc.read_message(self._source)
        return pyarrow.ipc.read_record_batch(message, self.schema).column(column)


def open_table(path: Path) -> TableFile:
    """Return a file by its content. Raises DatasetError if it is not a table, or not whole."""
    try:
        with path.open("rb") as file:
            head = file.read(8)
            size = file.seek(0, 2)
            file.seek(max(0, size - 8))
            tail = file.read(8)
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}.") from error
    if head[:4] == b"PAR1":
        if tail[4:] != b"PAR1":
            raise DatasetError(f"{path} is a Parquet file without its end: it was not written or copied to the end.")
        return _sound(ParquetFile(path))
    if head[:6] == b"ARROW1":
        if tail[2:] != b"ARROW1":
            raise DatasetError(f"{path} is an Arrow file without its end: it was not written or copied to the end.")
        return _sound(ArrowFile(path))
    if head[:4] == b"\xff\xff\xff\xff":
        return _sound(ArrowStream(path))
    if head.startswith(b"version"):
        raise DatasetError(f"{path} is a pointer of Git LFS instead of the file: git lfs pull")
    raise DatasetError(f"{path} is not a Parquet or Arrow file, by its content.")


def _sound(table: TableFile) -> TableFile:
    with faults_of(table.path):
        _ = table.schema, table.rows
    return table


@contextmanager
def faults_of(name: object) -> Iterator[None]:
    """Raise DatasetError for whatever Arrow says about a file, in one line."""
    from pyarrow import ArrowException

    try:
        yield
    except (OSError, EOFError, ArrowException) as error:
        said = (str(error) or type(error).__name__).strip().splitlines()[0].rstrip(".")
        raise DatasetError(f"{name} is damaged or truncated ({said}).") from error
