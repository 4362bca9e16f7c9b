"""What the stores of shards have in common, wherever the shards are."""

import os
from abc import abstractmethod
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import local

import numpy as np
from typing_extensions import override

from offshelf.errors import MissingFeatureError
from offshelf.releases import releases
from offshelf.store.catalogue import Catalogue
from offshelf.store.index import digest_rows
from offshelf.store.key import FeatureKey
from offshelf.store.shard import DamagedShardError, Shard
from offshelf.store.store import FeatureStore


class ShardedStore(FeatureStore):
    """A store whose catalogues know the shards of each network."""

    @abstractmethod
    def catalogue(self, network: str) -> Catalogue:
        """Return the catalogue of a network, the same for each call."""

    @abstractmethod
    def vouched(self, network: str) -> set[tuple[str, str]]:
        """Return pairs of key and releases that are verified under today's releases."""

    @override
    def missing(self, keys: Sequence[FeatureKey], images: Sequence[str]) -> np.ndarray:
        wanted = digest_rows(images)
        catalogue = self.catalogue(keys[0].network)
        catalogue.look()
        lacking = np.zeros(len(images), bool)
        for key in catalogue.distinct([key.digest for key in keys]):
            lacking |= catalogue.find(key, wanted)[1] < 0
        rows = np.flatnonzero(lacking)
        first = np.unique(wanted[rows], axis=0, return_index=True)[1] if len(rows) else rows
        return np.sort(rows[first]).astype(np.int64)

    @override
    def read(self, keys: Sequence[FeatureKey], images: Sequence[str]) -> np.ndarray:
        wanted = digest_rows(images)
        catalogue = self.catalogue(keys[0].network)
        catalogue.look()
        parts = [part for number, key in enumerate(keys) for part in self._parts(number, key, wanted)]
        width = parts[0].shard.tensors[parts[0].key].shape[1] if parts else 0
        values = np.empty((len(images), len(keys), width), np.float32)
        with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
            for damage in pool.map(lambda part: part.read(values), parts):
                if damage:
                    catalogue.leave_out(*damage)
                    raise damage[1]
        return values

    @override
    def has_foreign(self, key: FeatureKey) -> bool:
        catalogue = self.catalogue(key.network)
        catalogue.look()
        return not catalogue.releases() <= {releases()}

    @override
    def foreign(self, keys: Sequence[FeatureKey], images: Sequence[str]) -> dict[str, np.ndarray]:
        wanted, catalogue = digest_rows(images), self.catalogue(keys[0].network)
        known = self.vouched(keys[0].network)
        written: dict[str, np.ndarray] = {}
        whole = np.ones(len(images), bool)
        for key in keys:
            shards, numbers, _ = catalogue.find(key.digest, wanted)
            whole &= numbers >= 0
            for then in {shard.releases for shard in shards} - {releases()}:
                if (key.digest, then) not in known:
                    theirs = np.isin(numbers, [place for place, shard in enumerate(shards) if shard.releases == then])
                    written[then] = written.get(then, np.zeros(len(images), bool)) | theirs
        rows = {then: np.flatnonzero(theirs & whole) for then, theirs in written.items()}
        return {then: found for then, found in rows.items() if len(found)}

    def _parts(self, number: int, key: FeatureKey, wanted: np.ndarray) -> "list[_Part]":
        """Return the parts of shards to read for one key."""
        shards, numbers, stored = self.catalogue(key.network).find(key.digest, wanted)
        if (numbers < 0).any():
            name = wanted[np.flatnonzero(numbers < 0)[0]].tobytes().hex()
            raise MissingFeatureError(f"No features of layer {key.module} for image {name[:12]} in {self}.")
        order = np.argsort((numbers.astype(np.int64) << 32) | stored)
        cuts = np.flatnonzero(np.diff(numbers[order])) + 1
        return [
            _Part(shards[numbers[rows[0]]], key.digest, number, rows, stored[rows])
            for rows in np.split(order, cuts)
            if len(rows)
        ]


@dataclass(frozen=True, eq=False)
class _Part:
    """Rows of one tensor of one shard, and their destination."""

    shard: Shard
    key: str
    number: int
    rows: np.ndarray
    """Destination rows, int64 [n]."""
    stored: np.ndarray
    """Rows in the shard, int32 [n], ascending."""

    def read(self, values: np.ndarray) -> tuple[Path, DamagedShardError] | None:
        """Read into `values`, [N, K, D]. Return the path and the error if the shard is damaged."""
        try:
            self._read(values)
        except DamagedShardError as error:
            return self.shard.path, error
        return None

    def _read(self, values: np.ndarray) -> None:
        place, is_whole = _as_slice(self.rows), np.array_equal(self.stored, np.arange(len(self.shard.images)))
        target = values[:, self.number]
        if is_whole and isinstance(place, slice) and values.shape[1] == 1:
            self.shard.read(self.key, target[place])
            return
        tensor = self.shard.read(self.key, _scratch(self.shard.tensors[self.key].shape))
        target[place] = tensor if is_whole else tensor[self.stored]


def _as_slice(rows: np.ndarray) -> "np.ndarray | slice":
    """Return consecutive row numbers as a slice, which NumPy copies faster; other row numbers unchanged."""
    first, last = int(rows[0]), int(rows[-1])
    follows = last - first + 1 == len(rows) and np.array_equal(rows, np.arange(first, last + 1))
    return slice(first, last + 1) if follows else rows


_OWN = local()


def _scratch(shape: tuple[int, int]) -> np.ndarray:
    """Return float32 memory for a tensor, reused by the thread: new memory would have to be cleared first."""
    size = shape[0] * shape[1]
    room = getattr(_OWN, "room", np.empty(0, np.float32))
    if len(room) < size:
        room = _OWN.room = np.empty(size, np.float32)
    return room[:size].reshape(shape)
