"""Where the bytes of images are: files, cells of tables, members of archives."""

import os
from abc import ABC, abstractmethod
from array import array
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol, Self

import numpy as np
from typing_extensions import override


class Location(Protocol):
    """Where the bytes of one image file are. A `pathlib.Path` is one. It can be pickled; `str` names it."""

    def read_bytes(self) -> bytes:
        """Return the bytes, any number of times, from any thread. Raises OSError, or ImageError with the reason."""


def version_of(location: Location) -> str:
    """Return what stands for the bytes of a remote location until they change; empty for others."""
    return str(getattr(location, "version", ""))


class Locations(ABC):
    """Where the bytes of many images are, without an object for each."""

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of images."""

    @abstractmethod
    def at(self, row: int) -> Location:
        """Return the location of one image."""

    @abstractmethod
    def name(self, row: int) -> str:
        """Return the name of one image, unique among all; bytes that are not UTF-8 as surrogates."""

    @abstractmethod
    def take(self, rows_M: np.ndarray) -> Self:
        """Return the locations of some images."""


class Names:
    """Texts in one buffer, in a fraction of the memory of as many objects."""

    def __init__(self, names: Iterable[str]) -> None:
        """Take the texts, which may have surrogates for bytes that are not UTF-8."""
        self._text, self._ends_N = bytearray(), array("q")
        for name in names:
            self.append(name)

    def __len__(self) -> int:
        return len(self._ends_N)

    def __getitem__(self, row: int) -> str:
        start = self._ends_N[row - 1] if row else 0
        return os.fsdecode(bytes(self._text[start : self._ends_N[row]]))

    def append(self, name: str) -> None:
        """Add a text."""
        self._text += os.fsencode(name)
        self._ends_N.append(len(self._text))

    def take(self, rows_M: np.ndarray) -> "Names":
        """Return some of the texts."""
        return Names(map(self.__getitem__, rows_M.tolist()))


class Paths(Locations):
    """Files below one folder."""

    def __init__(self, root: Path, names: Iterable[str] | Names) -> None:
        """Take paths below `root`, with `/`; or absolute ones."""
        self.root, self._names = root, names if isinstance(names, Names) else Names(names)

    @override
    def __len__(self) -> int:
        return len(self._names)

    @override
    def at(self, row: int) -> Path:
        return self.root / self._names[row]

    @override
    def name(self, row: int) -> str:
        return self._names[row]

    @override
    def take(self, rows_M: np.ndarray) -> "Paths":
        return Paths(self.root, self._names.take(rows_M))
