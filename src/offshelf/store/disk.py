"""The feature store on disk: a folder of immutable shards, shared by all runs, data sets and projects of a machine."""

import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from threading import local

import numpy as np
from typing_extensions import override

from offshelf.errors import MissingFeatureError
from offshelf.releases import releases
from offshelf.store.catalogue import Catalogue
from offshelf.store.claim import Claim, claim
from offshelf.store.index import digest_rows
from offshelf.store.inventory import Use, note_use
from offshelf.store.key import FeatureKey
from offshelf.store.shard import DamagedShardError, Shard, write_shard
from offshelf.store.store import FeatureStore
from offshelf.store.verified_releases import vouch, vouched

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DiskStore(FeatureStore):
    """A store at `root`/<network digest>/<shard>. Opening it reads the shards' headers; there is no other state."""

    root: Path
    _catalogues: dict[str, Catalogue] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "root", Path(self.root).expanduser().absolute())

    def __reduce__(self) -> "tuple[type[DiskStore], tuple[Path]]":
        return DiskStore, (self.root,)  # another process reads the folder itself

    @override
    def missing(self, keys: Sequence[FeatureKey], images: Sequence[str]) -> np.ndarray:
        wanted = digest_rows(images)
        catalogue = self._catalogue(keys[0])
        catalogue.look()
        lacking = np.zeros(len(images), bool)
        for key in catalogue.distinct([key.digest for key in keys]):
            lacking |= catalogue.find(key, wanted)[1] < 0
        rows = np.flatnonzero(lacking)
        first = np.unique(wanted[rows], axis=0, return_index=True)[1] if len(rows) else rows
        return np.sort(rows[first]).astype(np.int64)

    @override
    def put(self, images: Sequence[str], features: Mapping[FeatureKey, np.ndarray]) -> None:
        catalogue = self._catalogue(next(iter(features)))
        catalogue.add(write_shard(catalogue.folder, images, features))

    @override
    def read(self, keys: Sequence[FeatureKey], images: Sequence[str]) -> np.ndarray:
        wanted = digest_rows(images)
        catalogue = self._catalogue(keys[0])
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
        catalogue = self._catalogue(key)
        catalogue.look()
        return not catalogue.releases() <= {releases()}

    @override
    def foreign(self, keys: Sequence[FeatureKey], images: Sequence[str]) -> dict[str, np.ndarray]:
        wanted, catalogue = digest_rows(images), self._catalogue(keys[0])
        known = vouched(catalogue.folder, releases())
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

    @override
    def vouch(self, keys: Sequence[FeatureKey], then: str) -> None:
        try:
            vouch(self._folder(keys[0].network), [key.digest for key in keys], then, releases())
        except OSError as error:
            log.info("The store %s cannot record the verification: %s", self.root, error.strerror)

    @override
    def note_use(self, networks: Iterable[str], use: Use) -> None:
        for network in set(networks):
            try:
                note_use(self._folder(network), use)
            except OSError as error:
                log.info("The store %s could not record its use by the run: %s", self.root, error.strerror)

    @override
    def claim(self, network: str, work: str) -> Claim | None:
        return claim(self._folder(network), work)

    def _parts(self, number: int, key: FeatureKey, wanted: np.ndarray) -> "list[_Part]":
        """Return the parts of shards to read for one key."""
        shards, numbers, stored = self._catalogue(key).find(key.digest, wanted)
        if (numbers < 0).any():
            name = wanted[np.flatnonzero(numbers < 0)[0]].tobytes().hex()
            raise MissingFeatureError(f"No features of layer {key.module} for image {name[:12]} in {self.root}.")
        order = np.argsort((numbers.astype(np.int64) << 32) | stored)
        cuts = np.flatnonzero(np.diff(numbers[order])) + 1
        return [
            _Part(shards[numbers[rows[0]]], key.digest, number, rows, stored[rows])
            for rows in np.split(order, cuts)
            if len(rows)
        ]

    def _catalogue(self, key: FeatureKey) -> Catalogue:
        folder = self._folder(key.network)
        return self._catalogues.setdefault(folder.name, Catalogue(folder))

    def _folder(self, network: str) -> Path:
        return self.root / network[:32]


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
