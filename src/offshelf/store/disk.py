"""The feature store on disk: a folder of immutable shards, shared by all runs, data sets and projects of a machine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from offshelf.errors import StoreError
from offshelf.store.key import FeatureKey
from offshelf.store.shard import SUFFIX, Shard, write_shard


@dataclass(frozen=True)
class DiskStore:
    """`root`/<network digest>/<shard>: opening it reads the shards' headers; nothing else is state."""

    root: Path
    _opened: dict[Path, Shard] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "root", Path(self.root).expanduser().absolute())

    def missing(self, keys: Sequence[FeatureKey], images: Sequence[str]) -> np.ndarray:
        """See FeatureStore."""
        first: dict[str, int] = {}
        for row, image in enumerate(images):
            first.setdefault(image, row)
        lacking: set[str] = set()
        for key in keys:
            lacking |= first.keys() - self._where(key).keys()
        return np.array(sorted(first[image] for image in lacking), dtype=np.int64)

    def put(self, images: Sequence[str], features: Mapping[FeatureKey, np.ndarray]) -> None:
        """See FeatureStore."""
        network = next(iter(features)).network
        shard = write_shard(self._folder(network), images, features)
        self._opened[shard.path] = shard

    def get(self, key: FeatureKey, images: Sequence[str]) -> np.ndarray:
        """See FeatureStore."""
        where = self._where(key)
        wanted: dict[Path, list[tuple[int, int]]] = {}
        for row, image in enumerate(images):
            if image not in where:
                raise StoreError(f"No features of layer {key.module} for image {image[:12]} in {self.root}.")
            path, stored = where[image]
            wanted.setdefault(path, []).append((row, stored))
        values: np.ndarray | None = None
        for path, pairs in wanted.items():
            found = self._opened[path].read(key.digest)
            values = np.empty((len(images), found.shape[1]), np.float32) if values is None else values
            rows, stored_rows = np.array(pairs).T
            values[rows] = found[stored_rows]
        return values if values is not None else np.empty((0, 0), np.float32)

    def _where(self, key: FeatureKey) -> dict[str, tuple[Path, int]]:
        """Shard and row of each image that has the key; where two shards hold it, the first by name, always."""
        self._look(key.network)
        folder = self._folder(key.network)
        found: dict[str, tuple[Path, int]] = {}
        for path in sorted((path for path in self._opened if path.parent == folder), reverse=True):
            shard = self._opened[path]
            if key.digest in shard.keys:
                found.update((image, (path, row)) for row, image in enumerate(shard.images))
        return found

    def _look(self, network: str) -> None:
        """Take in shards that other processes have finished since."""
        try:
            paths = list(self._folder(network).glob(f"*{SUFFIX}"))
        except OSError as error:
            raise StoreError(f"Could not read the feature store {self.root}: {error.strerror}.") from error
        for path in paths:
            if path not in self._opened:
                self._opened[path] = Shard(path)

    def _folder(self, network: str) -> Path:
        return self.root / network[:32]
