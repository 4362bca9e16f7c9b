"""Maintenance of a store, wherever it is."""

from collections.abc import Sequence

from offshelf.store.bucket import BucketStore
from offshelf.store.bucket_maintenance import bucket_holdings, delete_shards, remove_from_bucket, verify_bucket
from offshelf.store.disk import DiskStore
from offshelf.store.inventory import Holding, holdings
from offshelf.store.maintenance import Damage, prunable, remove, remove_leftovers, selected, verify

AnyStore = DiskStore | BucketStore


def held_in(store: AnyStore) -> list[Holding]:
    """Return everything in a store, largest first. Raises StoreError, RemoteError."""
    return bucket_holdings(store) if isinstance(store, BucketStore) else holdings(store.root)


def damage_in(store: AnyStore) -> list[Damage]:
    """Read every byte of a store, and return the shards that are not what was written."""
    if isinstance(store, BucketStore):
        return [Damage(*each) for each in verify_bucket(store)]
    return verify(store.root)


def delete_damaged(store: AnyStore, damage: Sequence[Damage]) -> None:
    """Delete damaged shards."""
    if isinstance(store, BucketStore):
        delete_shards(store, [(each.holding, each.path) for each in damage])
        return
    for each in damage:
        each.path.unlink(missing_ok=True)


def prunable_in(
    store: AnyStore, backbone: str = "", unused_days: float | None = None
) -> tuple[list[Holding], list[Holding]]:
    """Return the holdings that match, and those of them that a process here is writing; see `prunable`."""
    if isinstance(store, BucketStore):
        return selected(bucket_holdings(store), backbone, unused_days), []
    return prunable(store.root, backbone, unused_days)


def delete_from(store: AnyStore, chosen: Sequence[Holding]) -> int:
    """Delete all features of the holdings. Return the bytes freed."""
    if isinstance(store, BucketStore):
        return remove_from_bucket(store, chosen)
    return remove(chosen) + remove_leftovers(store.root)
