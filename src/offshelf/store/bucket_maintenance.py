"""Maintenance of a store in a bucket: its contents, damage, deletion, and copies from and to a store on disk."""

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from typing_extensions import override

from offshelf.errors import StoreError
from offshelf.remote import Url, client
from offshelf.remote.faults import ObjectError
from offshelf.store.bucket import BucketStore
from offshelf.store.bucket_shards import INDEX
from offshelf.store.inventory import RUNS, Holding, Use
from offshelf.store.lease import FOLDER as CLAIMS
from offshelf.store.shard import SUFFIX, DamagedShardError, Shard, write_whole
from offshelf.store.verified_releases import FOLDER as RELEASES

NAME = 32
"""Length of a network's name."""
THREADS = 8
OURS = (RUNS, RELEASES, INDEX, CLAIMS)
"""Folders of a network beside its shards."""


@dataclass(frozen=True, eq=False)
class BucketHolding(Holding):
    """All features of one network in a bucket; `folder` is the network's name."""

    bytes: int = 0
    changed: float = 0.0
    """Time of the last write."""

    @property
    @override
    def size(self) -> int:
        return self.bytes

    @property
    @override
    def touched(self) -> float:
        return max([self.changed, *(use.time for use in self.uses)])


def bucket_holdings(store: BucketStore) -> list[Holding]:
    """Return everything in a store, largest first. Raises StoreError if there is nothing, RemoteError."""
    found: dict[str, dict[str, tuple[int, float]]] = {}
    top = store.address
    start = len(top.key.rstrip("/")) + 1 if top.key.strip("/") else 0
    for page in client(top).pages(top):
        for key, about in page:
            network, _, name = key[start:].partition("/")
            if len(network) == NAME and name:
                found.setdefault(network, {})[name] = about.size, about.changed
    if not found:
        raise StoreError(f"There is no feature store in {store} yet; store=bucket store.url={store} creates one.")
    return sorted((_holding(store, network, files) for network, files in found.items()), key=lambda each: -each.size)


def _holding(store: BucketStore, network: str, files: dict[str, tuple[int, float]]) -> BucketHolding:
    catalogue = store.catalogue(network)
    shards, damaged = [], []
    names = {name for name in files if "/" not in name and name.endswith(SUFFIX)}
    catalogue.look()
    catalogue.rebuild()
    for name in sorted(names):
        try:
            shards.append(catalogue.open(name))
        except (KeyError, DamagedShardError):
            damaged.append(Path(name))
    other = [Path(name) for name in files if name not in names and name.split("/")[0] not in OURS]
    labels = sorted({tensor.label["backbone"] for shard in shards for tensor in shard.tensors.values()})
    uses = sorted(
        _uses(store, network, [name for name in files if name.startswith(f"{RUNS}/")]), key=lambda one: -one.time
    )
    return BucketHolding(
        Path(network),
        ", ".join(labels) or "?",
        tuple(shards),
        tuple(damaged),
        tuple(other),
        tuple(uses),
        bytes=sum(files[name][0] for name in names),
        changed=max(changed for _, changed in files.values()),
    )


def _uses(store: BucketStore, network: str, names: Sequence[str]) -> Iterator[Use]:
    for name in names:
        found = store.read_json(store.address / network / name)
        try:
            yield Use(found["name"], found["run"], float(found["time"]), dict(found["config"]))
        except (KeyError, TypeError, ValueError):
            continue


def verify_bucket(store: BucketStore) -> list[tuple[Holding, Path]]:
    """Read every byte of a store, compare it with the shards' names, and make each index anew.

    Returns the damaged shards, each with what it belongs to.
    """
    found = []
    for holding in bucket_holdings(store):
        names = [*(shard.path for shard in holding.shards), *holding.damaged]
        with ThreadPoolExecutor(THREADS) as pool:
            sound = list(pool.map(lambda name, of=holding: _is_sound(store, of, name), names))
        found += [(holding, name) for name, is_sound in zip(names, sound, strict=True) if not is_sound]
        _renew_index(store, holding)
    return found


def _is_sound(store: BucketStore, holding: Holding, name: Path) -> bool:
    try:
        data = client(store.address).get(store.address / holding.folder.name / name.name)
    except ObjectError:
        return True  # removed meanwhile
    return hashlib.sha256(data).hexdigest() == name.stem


def _renew_index(store: BucketStore, holding: Holding) -> None:
    """Write the index of a network anew, and delete what was there before."""
    place = store.address / holding.folder.name / INDEX
    old = [Url(place.scheme, place.place, key) for page in client(place).pages(place) for key, _ in page]
    store.fresh(holding.folder.name).rebuild()
    for url in old:
        client(url).delete(url)


def delete_shards(store: BucketStore, damaged: Sequence[tuple[Holding, Path]]) -> None:
    """Delete damaged shards, and make the indices anew."""
    for holding, name in damaged:
        url = store.address / holding.folder.name / name.name
        client(url).delete(url)
    for holding in {one.folder.name: one for one, _ in damaged}.values():
        _renew_index(store, holding)


def remove_from_bucket(store: BucketStore, chosen: Sequence[Holding]) -> int:
    """Delete all features of the holdings, except foreign objects. Return the bytes freed."""
    freed = 0
    for holding in chosen:
        place = store.address / holding.folder.name
        foreign = {path.as_posix() for path in holding.foreign}
        for page in list(client(place).pages(place)):
            for key, about in page:
                if key[len(place.key) + 1 :] not in foreign:
                    client(place).delete(Url(place.scheme, place.place, key))
                    freed += about.size
        store.fresh(holding.folder.name)
    return freed


def push(store: BucketStore, held: Sequence[Holding]) -> tuple[int, int]:
    """Copy the shards of networks on disk into a bucket. Return how many, and their bytes. Raises StoreError."""
    count = size = 0
    for holding in held:
        catalogue = store.catalogue(holding.folder.name)
        catalogue.look()
        there = catalogue.names()
        for shard in holding.shards:
            if shard.path.name not in there:
                data = shard.path.read_bytes()
                _require_sound(shard.path, data, shard.path.stem)
                catalogue.add(catalogue.write(shard.path.name, data))
                count, size = count + 1, size + len(data)
        _require_none_damaged(holding)
        for use in holding.uses:
            store.note_use([holding.folder.name], use)
    return count, size


def pull(store: BucketStore, held: Sequence[Holding], root: Path) -> tuple[int, int]:
    """Copy the shards of networks in a bucket into a store on disk. Return how many, and their bytes."""
    count = size = 0
    for holding in held:
        for shard in holding.shards:
            path = root / holding.folder.name / shard.path.name
            if not path.exists():
                size += _pulled(store, holding, shard, path)
                count += 1
        _require_none_damaged(holding)
    return count, size


def _pulled(store: BucketStore, holding: Holding, shard: Shard, path: Path) -> int:
    url = store.address / holding.folder.name / shard.path.name
    try:
        data = client(url).get(url)
    except ObjectError as error:
        raise StoreError(str(error)) from error
    _require_sound(url, data, path.stem)
    try:
        write_whole(path, data)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror}.") from error
    return len(data)


def _require_none_damaged(holding: Holding) -> None:
    """Raise StoreError after the sound shards of a network were copied, if there are others."""
    if holding.damaged:
        raise StoreError(
            f"{holding.damaged[0]} is damaged, and is not copied; offshelf store verify --repair removes it."
        )


def _require_sound(where: object, data: bytes, name: str) -> None:
    if hashlib.sha256(data).hexdigest() != name:
        raise StoreError(f"{where} is damaged, and is not copied; offshelf store verify --repair removes it.")
