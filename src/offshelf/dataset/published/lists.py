"""Lists that published data sets come with: lines of text, MATLAB files."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from offshelf.dataset.imageset import Fold
from offshelf.errors import DatasetError


def lines(path: Path) -> list[str]:
    """Lines without surrounding white space and without empty ones.

    Raises:
        DatasetError: it is missing, or is no text.
    """
    try:
        return [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}; the copy is incomplete.") from error
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path} is no text: {error}.") from error


def fields(path: Path, count: int) -> Iterator[list[str]]:
    """The fields of each line, separated by white space.

    Raises:
        DatasetError: it is missing, or a line has another number of them.
    """
    for number, line in enumerate(lines(path), 1):
        found = line.split()
        if len(found) != count:
            raise DatasetError(f"{path}, entry {number}: {count} fields are expected; got '{line}'.")
        yield found


def numbers(path: Path, cells: Sequence[str]) -> list[float]:
    """Numbers of a line of `path`. Raises DatasetError."""
    try:
        return [float(cell) for cell in cells]
    except ValueError:
        raise DatasetError(f"{path}: '{' '.join(cells)}' are not all numbers.") from None


def matlab(path: Path, name: str) -> Any:
    """A variable of a MATLAB file, without axes of length one.

    Raises:
        DatasetError: it is missing, or the file is none of MATLAB's.
    """
    from scipy.io import loadmat

    try:
        return loadmat(path, squeeze_me=True, variable_names=[name])[name]
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}; the copy is incomplete.") from error
    except (ValueError, TypeError, KeyError, NotImplementedError) as error:
        raise DatasetError(f"{path} is no MATLAB file with the variable '{name}'.") from error


def join_parts(parts: Sequence[tuple[Sequence[str], Sequence[str]]]) -> tuple[list[str], tuple[Fold, ...]]:
    """Several official splits of the same images.

    Args:
        parts: Names to train and to test on, for each split.

    Returns:
        Each name once, in order of first mention; and the splits as rows of that list.
    """
    names = list(dict.fromkeys(name for part in parts for side in part for name in side))
    row = {name: number for number, name in enumerate(names)}
    return names, tuple(
        Fold(*(np.array([row[name] for name in side], dtype=np.int64) for side in part)) for part in parts
    )


def in_order(train: int, test: int) -> tuple[Fold]:
    """The one split of so many samples to train on, with those to test on after them."""
    return (Fold(np.arange(train), np.arange(train, train + test)),)


def require_known(named: Sequence[str], classes: Sequence[str], where: Path) -> None:
    """Raise DatasetError where lists in `where` name a class that does not exist."""
    unknown = sorted(set(named) - set(classes))
    if unknown:
        known = f"the {len(classes)} known ones"
        raise DatasetError(f"The lists in {where} name a class that is not among {known}: {unknown[0][:80]}.")
