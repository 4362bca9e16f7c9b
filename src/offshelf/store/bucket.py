"""The feature store in a bucket: the shards of a disk, read by ranges into a bounded cache on disk."""

import hashlib
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from typing_extensions import override

from offshelf.dataset.remote.kept import Kept
from offshelf.errors import ConfigError, RemoteError, StoreError
from offshelf.home import home_dir
from offshelf.identity import digest
from offshelf.releases import releases
from offshelf.remote import Url, client, is_url
from offshelf.remote.faults import ObjectError
from offshelf.secret import masked
from offshelf.store.bucket_shards import BucketCatalogue
from offshelf.store.claim import Claim
from offshelf.store.claim import claim as claim_here
from offshelf.store.inventory import RUNS, Use
from offshelf.store.key import FeatureKey
from offshelf.store.lease import FOLDER as CLAIMS
from offshelf.store.lease import Leases
from offshelf.store.shard import SUFFIX, content
from offshelf.store.sharded_store import ShardedStore
from offshelf.store.verified_releases import FOLDER as RELEASES

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class BucketStore(ShardedStore):
    """A store at `url`/<network digest>/<shard>, shared by all who may read and write there."""

    url: str
    """Such as `s3://bucket/features`."""
    cache_gb: float = 20
    """Gigabytes (10^9 bytes) of tensors that are kept in the home; 0: none are."""
    _catalogues: dict[str, BucketCatalogue] = field(default_factory=dict, repr=False, compare=False)
    _leases: Leases = field(default_factory=Leases, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not is_url(self.url) or Url.of(self.url).is_site:
            raise ConfigError(
                f"store.url is the address of a folder in a bucket, s3://bucket/features; got '{self.url}'."
            )
        if not 0 <= self.cache_gb < 1e6:
            raise ConfigError(f"store.cache_gb is a number of gigabytes, 0 or more; got {self.cache_gb}.")

    def __str__(self) -> str:
        return str(Url.of(self.url))

    def __reduce__(self) -> "tuple[type[BucketStore], tuple[str, float]]":
        return BucketStore, (self.url, self.cache_gb)  # another process reads the bucket itself

    @property
    def address(self) -> Url:
        """The parsed address."""
        return Url.of(self.url)

    @override
    def catalogue(self, network: str) -> BucketCatalogue:
        name = network[:32]
        if name not in self._catalogues:
            kept = Kept(home_dir() / "remote" / "features", int(self.cache_gb * 1e9))
            self._catalogues.setdefault(name, BucketCatalogue(self.address / name, kept))
        return self._catalogues[name]

    def fresh(self, network: str) -> BucketCatalogue:
        """Return a catalogue that has read nothing yet, and is the network's from now on."""
        self._catalogues.pop(network[:32], None)
        return self.catalogue(network)

    @override
    def put(self, images: Sequence[str], features: Mapping[FeatureKey, np.ndarray]) -> None:
        catalogue = self.catalogue(next(iter(features)).network)
        data = content(images, features)
        try:
            catalogue.add(catalogue.write(hashlib.sha256(data).hexdigest() + SUFFIX, data))
        except (RemoteError, ObjectError) as error:
            raise StoreError(
                f"Could not write {len(data) / 2**20:.1f} MiB of features: {error} Nothing that was written is lost: "
                "the same command continues from there."
            ) from error

    @override
    def vouched(self, network: str) -> set[tuple[str, str]]:
        place = self.address / network[:32] / RELEASES
        found: set[tuple[str, str]] = set()
        for page in client(place).pages(place):
            for key, _ in page:
                about = self.read_json(Url(place.scheme, place.place, key))
                if about.get("now") == releases():
                    found |= {(str(one), str(about.get("then"))) for one in about.get("keys", ())}
        return found

    @override
    def vouch(self, keys: Sequence[FeatureKey], then: str) -> None:
        known = {"then": then, "now": releases(), "keys": sorted(key.digest for key in keys)}
        self._note(self.address / keys[0].network[:32] / RELEASES / f"{digest(known)[:32]}.json", known)

    @override
    def note_use(self, networks: Iterable[str], use: Use) -> None:
        known = {"name": use.name, "run": use.run, "time": use.time, "config": dict(use.config)}
        for network in set(networks):
            name = f"{use.run or digest(use.name)[:32]}.json"
            self._note(self.address / network[:32] / RUNS / name, masked(known))

    @override
    def claim(self, network: str, work: str) -> Claim | None:
        """Claim work among the processes of this home by a lock, and among homes by a lease in the bucket."""
        name = hashlib.sha256(f"{self.address}/{network}".encode()).hexdigest()[:32]
        here = claim_here(home_dir() / "remote" / "claims" / name, work)
        if here is None:
            return None
        try:
            taken = self._leases.take(self.address / network[:32] / CLAIMS / f"{work[:32]}.json", here.lock)
        except BaseException:
            here.release()
            raise
        if taken is None:
            here.release()
        return taken

    def _note(self, url: Url, known: Mapping[str, object]) -> None:
        try:
            client(url).write(url, json.dumps(known, default=str).encode())
        except (RemoteError, ObjectError) as error:
            log.info("%s could not be written: %s", url, error)

    @staticmethod
    def read_json(url: Url) -> dict[str, Any]:
        """Return a small record; empty if it cannot be read."""
        try:
            found = json.loads(client(url).get(url))
        except (ObjectError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}
