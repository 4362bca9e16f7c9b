"""The feature store on disk: a folder of immutable shards, shared by all runs, data sets and projects of a machine."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from typing_extensions import override

from offshelf.releases import releases
from offshelf.store.catalogue import Catalogue
from offshelf.store.claim import Claim, claim
from offshelf.store.inventory import Use, note_use
from offshelf.store.key import FeatureKey
from offshelf.store.shard import write_shard
from offshelf.store.sharded_store import ShardedStore
from offshelf.store.verified_releases import vouch, vouched

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DiskStore(ShardedStore):
    """A store at `root`/<network digest>/<shard>. Opening it reads the shards' headers; there is no other state."""

    root: Path
    _catalogues: dict[str, Catalogue] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "root", Path(self.root).expanduser().absolute())

    def __str__(self) -> str:
        return str(self.root)

    def __reduce__(self) -> "tuple[type[DiskStore], tuple[Path]]":
        return DiskStore, (self.root,)  # another process reads the folder itself

    @override
    def put(self, images: Sequence[str], features: Mapping[FeatureKey, np.ndarray]) -> None:
        catalogue = self.catalogue(next(iter(features)).network)
        catalogue.add(write_shard(catalogue.folder, images, features))

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

    @override
    def vouched(self, network: str) -> set[tuple[str, str]]:
        return vouched(self._folder(network), releases())

    @override
    def catalogue(self, network: str) -> Catalogue:
        folder = self._folder(network)
        return self._catalogues.setdefault(folder.name, Catalogue(folder))

    def _folder(self, network: str) -> Path:
        return self.root / network[:32]
