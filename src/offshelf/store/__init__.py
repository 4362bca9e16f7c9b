"""Where features live: computed once, shared by all runs."""

from offshelf.store.disk import DiskStore
from offshelf.store.key import FeatureKey
from offshelf.store.memory import MemoryStore
from offshelf.store.store import FeatureStore

__all__ = ["DiskStore", "FeatureKey", "FeatureStore", "MemoryStore"]
