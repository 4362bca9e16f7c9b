"""Images in cells of tables, read a piece at a time; the last pieces are kept."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from typing_extensions import override

from offshelf.dataset.location import Locations
from offshelf.dataset.sources.table_file import TableFile, faults_of
from offshelf.errors import DatasetError, ImageError

KEPT = 4
"""Pieces in memory: rows are read in their order, by threads that are a few images apart."""


@dataclass(frozen=True)
class Cell:
    """One image; its location for ImageFile."""

    cells: "Cells"
    row: int

    def __str__(self) -> str:
        return self.cells.title(self.row)

    def read_bytes(self) -> bytes:
        """Return the bytes of the cell, or of the file that it names. Raises ImageError, OSError."""
        return self.cells.bytes_at(self.row)


@dataclass(frozen=True)
class Source:
    """A file whose images are in one column."""

    table: TableFile
    column: str
    name: str
    """Name in ids."""


class Cells(Locations):
    """Images of tables, by row. Memory: a few numbers for each piece, and the pieces read last."""

    def __init__(self, sources: Sequence[Source], rows_N: np.ndarray | None = None) -> None:
        """Take files, and the rows to use among all of theirs; None: all.

        Raises:
            DatasetError: A file is damaged.
        """
        self.sources = sources
        pieces = [_pieces(source) for source in sources]
        self._file_P = np.repeat(np.arange(len(sources)), [len(one) for one in pieces])
        self._piece_P = np.concatenate([np.arange(len(one)) for one in pieces]).astype(np.int64)
        self._end_P = np.concatenate(pieces).cumsum()
        self._start_F = np.cumsum([0, *(int(one.sum()) for one in pieces)])
        self._rows_N = np.arange(self._start_F[-1]) if rows_N is None else rows_N
        self._reset()

    def _reset(self) -> None:
        self._kept: OrderedDict[int, Any] = OrderedDict()
        self._lock = Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key not in ("_kept", "_lock")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._reset()

    @override
    def __len__(self) -> int:
        return len(self._rows_N)

    @override
    def at(self, row: int) -> Cell:
        return Cell(self, row)

    @override
    def name(self, row: int) -> str:
        file, number = self._place(row)
        return f"{self.sources[file].name}:{number}"

    def title(self, row: int) -> str:
        """Return a description of a cell: `…/train.parquet, row 17`."""
        file, number = self._place(row)
        return f"{self.sources[file].table.path}, row {number}"

    @override
    def take(self, rows_M: np.ndarray) -> "Cells":
        taken = object.__new__(Cells)
        taken.__setstate__({**self.__getstate__(), "_rows_N": self._rows_N[rows_M]})
        return taken

    def _place(self, row: int) -> tuple[int, int]:
        """Return the number of a row's file, and that of the row within it."""
        place = int(self._rows_N[row])
        file = int(np.searchsorted(self._start_F, place, "right")) - 1
        return file, place - int(self._start_F[file])

    def bytes_at(self, row: int) -> bytes:
        """Return the bytes of an image. Raises ImageError, or OSError for a file that a cell names."""
        place = int(self._rows_N[row])
        piece = int(np.searchsorted(self._end_P, place, "right"))
        start = int(self._end_P[piece - 1]) if piece else 0
        source = self.sources[int(self._file_P[piece])]
        cell = self._cells_of(piece, source, row)[place - start].as_py()
        found = cell.get("bytes") if isinstance(cell, dict) else cell
        if found is not None:
            return bytes(found)
        path = cell.get("path") if isinstance(cell, dict) else None
        if path:
            return (source.table.path.parent / Path(path)).read_bytes()
        raise ImageError(f"{self.title(row)}: '{source.column}' is empty.")

    def _cells_of(self, piece: int, source: Source, row: int) -> Any:
        with self._lock:
            if piece in self._kept:
                self._kept.move_to_end(piece)
                return self._kept[piece]
            try:
                with faults_of(self.title(row)):
                    found = source.table.read(int(self._piece_P[piece]), source.column)
            except DatasetError as error:
                raise ImageError(str(error)) from error
            self._kept[piece] = found
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)
            return found


def _pieces(source: Source) -> np.ndarray:
    with faults_of(source.table.path):
        return source.table.pieces(source.column)
