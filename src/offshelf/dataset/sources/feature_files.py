"""Files of features with their labels: arrays by name, of NumPy, MATLAB and Parquet."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from offshelf.dataset.sources.table_file import faults_of, open_table
from offshelf.errors import DatasetError
from offshelf.names import listed

Arrays = Mapping[str, np.ndarray]


def read_arrays(path: Path) -> Arrays:
    """Return the arrays of a file by name; of a `.npy` file the only one, as `features`.

    Raises:
        DatasetError: The file cannot be read, or is of another kind. Nothing is unpickled.
    """
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise DatasetError(f"{path}: features are read from files {', '.join(READERS)}.")
    try:
        return reader(path)
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror or error}.") from error


def text_lines(path: Path) -> np.ndarray:
    """Return the lines of a text file, without surrounding spaces, and without empty ones at its end."""
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").split("\n")]
    except (OSError, UnicodeError) as error:
        raise DatasetError(f"{path} cannot be read as text in UTF-8: {error}.") from error
    while lines and not lines[-1]:
        lines.pop()
    return np.array(lines, dtype=str)


def _npy(path: Path) -> Arrays:
    try:
        return {"features": np.load(path, mmap_mode="r", allow_pickle=False)}
    except ValueError as error:
        raise DatasetError(f"{path} is not a whole NumPy array of numbers or texts ({_first(error)}).") from error


def _npz(path: Path) -> Arrays:
    from zipfile import BadZipFile

    found: dict[str, np.ndarray] = {}
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            for name in file.files:
                found[name] = file[name]
    except (ValueError, BadZipFile, EOFError) as error:
        raise DatasetError(
            f"{path} is not a whole file of NumPy arrays of numbers or texts ({_first(error)})."
        ) from error
    return found


def _mat(path: Path) -> Arrays:
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    try:
        found = loadmat(path, squeeze_me=False, chars_as_strings=True)
    except NotImplementedError:  # version 7.3, which is HDF5
        return _hdf5(path)
    except (ValueError, TypeError, MatReadError) as error:
        raise DatasetError(f"{path} is not a whole MATLAB file ({_first(error)}).") from error
    return {name: _of_cells(value) for name, value in found.items() if isinstance(value, np.ndarray)}


def _of_cells(value: np.ndarray) -> np.ndarray:
    """Return a cell array of texts as texts; other arrays as they are."""
    if value.dtype != object:
        return value
    cells = [np.asarray(cell).ravel() for cell in value.ravel()]
    is_text = all(not cell.size or (len(cell) == 1 and cell.dtype.kind in "US") for cell in cells)
    return np.array([str(cell[0]) if cell.size else "" for cell in cells]) if is_text else value


def _hdf5(path: Path) -> Arrays:
    """Return the numeric arrays of a MATLAB 7.3 file, whose axes are stored in reverse order."""
    try:
        import h5py
    except ImportError as error:
        raise DatasetError(
            f"{path} is a MATLAB file of version 7.3: pip install 'offshelf[matlab]', or save it with '-v7'"
        ) from error
    with h5py.File(path, "r") as file:
        return {
            name: one[()].T for name, one in file.items() if isinstance(one, h5py.Dataset) and one.dtype.kind in "iufb"
        }


def _table(path: Path) -> Arrays:
    import pyarrow

    table = open_table(path)
    with faults_of(path):
        read = pyarrow.Table.from_batches(table.batches(table.schema.names), table.schema)
    return {name: _column(path, name, read.column(name).combine_chunks()) for name in read.column_names}


def _column(path: Path, name: str, column: Any) -> np.ndarray:
    import pyarrow

    kind = column.type
    if pyarrow.types.is_list(kind) or pyarrow.types.is_large_list(kind) or pyarrow.types.is_fixed_size_list(kind):
        lengths = (
            set(column.value_lengths().to_pylist()) if not pyarrow.types.is_fixed_size_list(kind) else {kind.list_size}
        )
        if pyarrow.types.is_floating(kind.value_type) and len(lengths) == 1 and not column.null_count:
            return np.asarray(column.flatten()).reshape(len(column), -1)
        if pyarrow.types.is_floating(kind.value_type):
            raise DatasetError(
                f"{path}: the vectors in '{name}' differ in length, or are missing: {listed(map(str, lengths))}."
            )
    if pyarrow.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
    cells = column.to_pylist()
    made = np.empty(len(cells), object)
    made[:] = cells
    return made


def _first(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0].rstrip(".")


READERS: Mapping[str, Callable[[Path], Arrays]] = {
    ".npy": _npy,
    ".npz": _npz,
    ".mat": _mat,
    **dict.fromkeys((".parquet", ".pq", ".arrow", ".feather"), _table),
}
