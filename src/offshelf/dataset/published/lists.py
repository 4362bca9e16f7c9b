"""Lists in published data sets: lines of text, and MATLAB files."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from offshelf.dataset.imageset import Fold
from offshelf.errors import DatasetError


def lines(path: Path) -> list[str]:
    """Return the non-empty lines, without surrounding white space.

    Raises:
        DatasetError: The file is missing, or not text.
    """
    try:
        return [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}; the copy is incomplete.") from error
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path} is not a text file: {error}.") from error


def fields(path: Path, count: int) -> Iterator[list[str]]:
    """Yield the fields of each line, separated by white space.

    Raises:
        DatasetError: The file is missing, or a line has another number of fields.
    """
    for number, line in enumerate(lines(path), 1):
        found = line.split()
        if len(found) != count:
            raise DatasetError(f"{path}, entry {number}: {count} fields are expected; got '{line}'.")
        yield found


def numbers(path: Path, cells: Sequence[str]) -> list[float]:
    """Return the numbers of a line of `path`. Raises DatasetError."""
    try:
        return [float(cell) for cell in cells]
    except ValueError:
        raise DatasetError(f"{path}: '{' '.join(cells)}' are not all numbers.") from None


def matlab(path: Path, name: str) -> Any:
    """Return a variable of a MATLAB file, without axes of length one.

    Raises:
        DatasetError: The file is missing, or not a MATLAB file.
    """
    from scipy.io import loadmat

    try:
        return loadmat(path, squeeze_me=True, variable_names=[name])[name]
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}; the copy is incomplete.") from error
    except (ValueError, TypeError, KeyError, NotImplementedError) as error:
        raise DatasetError(f"{path} is not a MATLAB file with the variable '{name}'.") from error


def join_parts(parts: Sequence[tuple[Sequence[str], Sequence[str]]]) -> tuple[list[str], tuple[Fold, ...]]:
    """Combine several official splits of the same images.

    Args:
        parts: Names to train and test on, for each split.

    Returns:
        Each name once, in order of first mention; and the splits as rows of that list.
    """
    names = list(dict.fromkeys(name for part in parts for side in part for name in side))
    row = {name: number for number, name in enumerate(names)}
    return names, tuple(
        Fold(*(np.array([row[name] for name in side], dtype=np.int64) for side in part)) for part in parts
    )


def in_order(train: int, test: int) -> tuple[Fold]:
    """Return the single split of this many training samples, followed by this many test samples."""
    return (Fold(np.arange(train), np.arange(train, train + test)),)


def require_known(named: Sequence[str], classes: Sequence[str], where: Path) -> None:
    """Raise DatasetError if lists in `where` name a class that does not exist."""
    unknown = sorted(set(named) - set(classes))
    if unknown:
        known = f"the {len(classes)} known ones"
        raise DatasetError(f"The lists in {where} name a class that is not among {known}: {unknown[0][:80]}.")
