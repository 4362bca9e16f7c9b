"""The feature store: features are computed once and shared by all runs."""

from offshelf.store.bucket import BucketStore
from offshelf.store.claim import Claim
from offshelf.store.disk import DiskStore
from offshelf.store.given import GivenStore
from offshelf.store.inventory import Use
from offshelf.store.key import FeatureKey
from offshelf.store.memory import MemoryStore
from offshelf.store.shard import DamagedShardError, GoneShardError
from offshelf.store.store import FeatureStore

__all__ = [
    "BucketStore",
    "Claim",
    "DamagedShardError",
    "DiskStore",
    "FeatureKey",
    "FeatureStore",
    "GivenStore",
    "GoneShardError",
    "MemoryStore",
    "Use",
]
