"""The feature store on disk: a folder of immutable shards, shared by all runs, data sets and projects of a machine."""

import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from offshelf.errors import StoreError
from offshelf.store.claim import Claim, claim
from offshelf.store.index import Index, digest_rows
from offshelf.store.inventory import Use, note_use
from offshelf.store.key import FeatureKey
from offshelf.store.shard import SUFFIX, DamagedShardError, Shard, open_shard, write_shard

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DiskStore:
    """`root`/<network digest>/<shard>: opening it reads the shards' headers; nothing else is state."""

    root: Path
    _opened: dict[Path, Shard | None] = field(default_factory=dict, repr=False, compare=False)
    """None: damaged, left out."""
    _indices: dict[tuple[Path, ...], Index] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "root", Path(self.root).expanduser().absolute())

    def missing(self, keys: Sequence[FeatureKey], images: Sequence[str]) -> np.ndarray:
        """See FeatureStore."""
        wanted = digest_rows(images)
        self._look(keys[0].network)
        lacking = np.zeros(len(images), bool)
        for index in {id(found): found for found in map(self._index, keys)}.values():
            lacking |= index.find(wanted)[0] < 0
        rows = np.flatnonzero(lacking)
        first = np.unique(wanted[rows], axis=0, return_index=True)[1] if len(rows) else rows
        return np.sort(rows[first]).astype(np.int64)

    def put(self, images: Sequence[str], features: Mapping[FeatureKey, np.ndarray]) -> None:
        """See FeatureStore."""
        shard = write_shard(self._folder(next(iter(features)).network), images, features)
        self._opened[shard.path] = shard

    def read(self, keys: Sequence[FeatureKey], images: Sequence[str]) -> np.ndarray:
        """See FeatureStore."""
        wanted = digest_rows(images)
        self._look(keys[0].network)
        parts = [part for number, key in enumerate(keys) for part in self._parts(number, key, wanted)]
        width = parts[0].shard.tensors[parts[0].key].shape[1] if parts else 0
        values = np.empty((len(images), len(keys), width), np.float32)
        with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
            for damage in pool.map(lambda part: part.read(values), parts):
                if damage:
                    self._leave_out(damage[0], damage[1])
                    raise damage[1]
        return values

    def note_use(self, networks: Iterable[str], use: Use) -> None:
        """See FeatureStore."""
        for network in set(networks):
            try:
                note_use(self._folder(network), use)
            except OSError as error:
                log.info("The store %s did not take word of the run: %s", self.root, error.strerror)

    def claim(self, network: str, work: str) -> Claim | None:
        """See FeatureStore."""
        return claim(self._folder(network), work)

    def _parts(self, number: int, key: FeatureKey, wanted: np.ndarray) -> "list[_Part]":
        """What to read of which shard for one key."""
        index = self._index(key)
        shards, stored = index.find(wanted)
        if (shards < 0).any():
            name = wanted[np.flatnonzero(shards < 0)[0]].tobytes().hex()
            raise StoreError(f"No features of layer {key.module} for image {name[:12]} in {self.root}.")
        order = np.argsort(shards, kind="stable")
        cuts = np.flatnonzero(np.diff(shards[order])) + 1
        return [
            _Part(index.shards[shards[rows[0]]], key.digest, number, rows, stored[rows])
            for rows in np.split(order, cuts)
            if len(rows)
        ]

    def _index(self, key: FeatureKey) -> Index:
        """Index of all shards that hold the key, by name: where two hold an image, the first counts, always."""
        folder = self._folder(key.network)
        shards = [shard for path, shard in sorted(self._opened.items()) if shard and path.parent == folder]
        holding = [shard for shard in shards if key.digest in shard.tensors]
        paths = tuple(shard.path for shard in holding)
        if paths not in self._indices:
            self._indices[paths] = Index(holding)
        return self._indices[paths]

    def _look(self, network: str) -> None:
        """Take in shards that have been finished since, by whichever process, and let go of those that are gone."""
        folder = self._folder(network)
        try:
            paths = {Path(entry.path) for entry in os.scandir(folder) if entry.name.endswith(SUFFIX)}
        except FileNotFoundError:
            paths = set()
        except OSError as error:
            raise StoreError(f"Could not read the feature store {self.root}: {error.strerror}.") from error
        known = {path for path in self._opened if path.parent == folder}
        if paths != known:
            self._indices.clear()
        for path in known - paths:
            del self._opened[path]
        for path in sorted(paths - known):
            try:
                self._opened[path] = open_shard(path)
            except DamagedShardError as error:
                self._leave_out(path, error)

    def _leave_out(self, path: Path, error: DamagedShardError) -> None:
        log.warning("%s", error)
        self._opened[path] = None
        self._indices.clear()

    def _folder(self, network: str) -> Path:
        return self.root / network[:32]


@dataclass(frozen=True, eq=False)
class _Part:
    """Rows of one tensor of one shard, and where they go."""

    shard: Shard
    key: str
    number: int
    rows: np.ndarray
    stored: np.ndarray

    def read(self, values: np.ndarray) -> tuple[Path, DamagedShardError] | None:
        """Read into `values`, [N, K, D]; returns what is wrong with the shard."""
        first, count = self.rows[0], len(self.rows)
        steps = np.arange(count)
        is_block = (
            count == len(self.shard.images) and (self.stored == steps).all() and (self.rows - first == steps).all()
        )
        try:
            if is_block and values.shape[1] == 1:
                self.shard.read(self.key, values[first : first + count, 0])
            else:
                values[self.rows, self.number] = self.shard.read(self.key)[self.stored]
        except DamagedShardError as error:
            return self.shard.path, error
        return None
