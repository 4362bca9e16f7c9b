"""The catalogue of one network's folder, updated as shards are added and removed."""

import logging
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from threading import RLock

import numpy as np

from offshelf.errors import StoreError
from offshelf.store.index import GrowingIndex, Index, find
from offshelf.store.shard import SUFFIX, DamagedShardError, GoneShardError, Shard, open_shard

log = logging.getLogger(__name__)


class Catalogue:
    """The finished shards of a folder and an index of their images. Threads may share it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._shards: dict[str, Shard | None] = {}
        """Shards by file name; None for a damaged one, which is left out."""
        self._indices: dict[frozenset[str], GrowingIndex] = {}
        """Indices of shards that hold the same keys. In a store that is one index for all layers and views of a run."""
        self._lock = RLock()

    def look(self) -> None:
        """Add shards that any process has finished since the last call, and drop those that were removed.

        Raises:
            StoreError: The folder cannot be read.
        """
        with self._lock:
            names = self.names()
            gone = self._shards.keys() - names
            for name in gone:
                del self._shards[name]
            if gone:
                self._index_anew()
            self._take(filter(None, map(self._open, sorted(names - self._shards.keys()))))

    def add(self, shard: Shard) -> None:
        """Add a shard that has just been written, possibly in place of a damaged one."""
        with self._lock:
            if self._shards.get(shard.path.name) is None:
                self._take([shard])

    def leave_out(self, path: Path, error: DamagedShardError) -> None:
        """Count a shard's features as missing, and log the reason."""
        log.log(_level(error), "%s", error)
        with self._lock:
            self._shards[path.name] = None
            self._index_anew()

    def releases(self) -> set[str]:
        """Return the releases under which the shards were written."""
        with self._lock:
            return {shard.releases for shard in self._shards.values() if shard}

    def distinct(self, keys: Sequence[str]) -> list[str]:
        """Return one key for each group of keys that the same shards hold."""
        with self._lock:
            return list({tuple(map(id, self._parts(key))): key for key in keys}.values())

    def find(self, key: str, images: np.ndarray) -> tuple[list[Shard], np.ndarray, np.ndarray]:
        """Find a key's features of images; see `index.find`."""
        with self._lock:
            parts = self._parts(key)
        return find(parts, images)

    def _parts(self, key: str) -> list[Index]:
        return [part for keys, index in self._indices.items() if key in keys for part in index.parts]

    def names(self) -> set[str]:
        """Return the names of the finished shards. Raises StoreError."""
        try:
            with os.scandir(self.folder) as entries:
                return {entry.name for entry in entries if entry.name.endswith(SUFFIX)}
        except FileNotFoundError:
            return set()
        except OSError as error:
            raise StoreError(f"Could not read the feature store {self.folder.parent}: {error.strerror}.") from error

    def open(self, name: str) -> Shard:
        """Open a shard. Raises DamagedShardError."""
        return open_shard(self.folder / name)

    def _open(self, name: str) -> Shard | None:
        try:
            return self.open(name)
        except DamagedShardError as error:
            log.log(_level(error), "%s", error)
            self._shards[name] = None
            return None

    def _index_anew(self) -> None:
        kept = [shard for shard in self._shards.values() if shard]
        self._indices.clear()
        self._take(kept)

    def _take(self, shards: Iterable[Shard]) -> None:
        alike: dict[frozenset[str], list[Shard]] = {}
        for shard in shards:
            self._shards[shard.path.name] = shard
            alike.setdefault(frozenset(shard.tensors), []).append(shard)
        for keys, group in alike.items():
            self._indices.setdefault(keys, GrowingIndex()).add(group)


def _level(error: DamagedShardError) -> int:
    """Return the log level: a removed shard is an information, a damaged one a warning."""
    return logging.INFO if isinstance(error, GoneShardError) else logging.WARNING
