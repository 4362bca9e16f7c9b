"""Images in members of tar files, read at random."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from typing_extensions import override

from offshelf.dataset.location import Locations, Names
from offshelf.errors import ImageError


@dataclass(frozen=True)
class InTar:
    """One image; its location for ImageFile."""

    path: Path
    offset: int
    size: int
    name: str

    def __str__(self) -> str:
        return f"{self.path}/{self.name}"

    def read_bytes(self) -> bytes:
        """Return the bytes of the member. Raises OSError; ImageError if the file is shorter than it was."""
        with self.path.open("rb", buffering=0) as file:
            file.seek(self.offset)
            data = file.read(self.size)
            while len(data) < self.size and (more := file.read(self.size - len(data))):
                data += more
        if len(data) < self.size:
            raise ImageError(f"{self} was cut off while it was in use; start again.")
        return data


@dataclass(frozen=True, eq=False)
class Members(Locations):
    """Members of shards: a few numbers and a name for each."""

    paths: Sequence[Path]
    titles: Sequence[str]
    """Names of the shards in ids."""
    shards_N: np.ndarray
    offsets_N: np.ndarray
    sizes_N: np.ndarray
    names: Names

    @override
    def __len__(self) -> int:
        return len(self.shards_N)

    @override
    def at(self, row: int) -> InTar:
        path = self.paths[int(self.shards_N[row])]
        return InTar(path, int(self.offsets_N[row]), int(self.sizes_N[row]), self.names[row])

    @override
    def name(self, row: int) -> str:
        return f"{self.titles[int(self.shards_N[row])]}/{self.names[row]}"

    @override
    def take(self, rows_M: np.ndarray) -> "Members":
        numbers = (self.shards_N[rows_M], self.offsets_N[rows_M], self.sizes_N[rows_M])
        return Members(self.paths, self.titles, *numbers, self.names.take(rows_M))
