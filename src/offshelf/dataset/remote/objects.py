"""Objects of a bucket as the images of a set."""

from array import array
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from typing_extensions import override

from offshelf.dataset.location import Locations, Names
from offshelf.dataset.remote.file import RemoteFile, public
from offshelf.dataset.remote.versions import with_versions
from offshelf.remote import About, Url


@dataclass(frozen=True, eq=False)
class Objects(Locations):
    """Objects below an address, named by their keys below it."""

    root: Url
    names: Names
    sizes_N: np.ndarray
    """int64 [N]."""
    tags: Names

    @staticmethod
    def of(root: Url, found: Iterable[tuple[str, About]]) -> "Objects":
        """Take names and what is known of them."""
        names, sizes, tags = Names(()), array("q"), Names(())
        for name, about in found:
            names.append(name)
            sizes.append(about.size)
            tags.append(about.tag)
        return Objects(root, names, np.array(sizes, np.int64), tags)

    @staticmethod
    def at_urls(root: Url, names: Names) -> "Objects":
        """Take names below an address, or addresses, and ask for sizes and tags. Raises RemoteError."""
        files = with_versions([RemoteFile(root / names[row]) for row in range(len(names))])
        known = [file for file in files if isinstance(file, RemoteFile)]
        sizes = np.array([file.size for file in known], np.int64)
        return Objects(root, names, sizes, Names(file.tag for file in known))

    @override
    def __len__(self) -> int:
        return len(self.names)

    @override
    def at(self, row: int) -> RemoteFile:
        return RemoteFile(self.root / self.names[row], int(self.sizes_N[row]), self.tags[row])

    @override
    def name(self, row: int) -> str:
        return public(self.names[row])

    @override
    def take(self, rows_M: np.ndarray) -> "Objects":
        return Objects(self.root, self.names.take(rows_M), self.sizes_N[rows_M], self.tags.take(rows_M))
