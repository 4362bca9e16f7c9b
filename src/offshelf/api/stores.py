"""Feature stores as a Python program names them."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from offshelf.home import home_dir
from offshelf.remote import is_url
from offshelf.store import BucketStore, DiskStore

if TYPE_CHECKING:
    from offshelf.store import FeatureStore

HOME = "home"
"""Stands for the store of the command line."""

OPTIONS = {None: "memory", HOME: "disk", "memory": "memory", "disk": "disk", "bucket": "bucket"}
"""Options of `conf/store`, by what a verb is given."""


def open_store(store: "str | Path | FeatureStore") -> "FeatureStore":
    """Return the store of the home for "home", a store in a folder or at an address, or the store itself.

    Raises:
        ConfigError: the address is not of a bucket.
        StoreError: the home cannot be used.
    """
    if is_url(store):
        return BucketStore(str(store))
    if isinstance(store, str | Path):
        return DiskStore(home_dir() / "store" if store == HOME else Path(store))
    return store


def store_setting(store: Any) -> Any:
    """Return what the config's group `store` is given: an option, an option with keys, or a store."""
    if store is None or (isinstance(store, str) and store in OPTIONS):
        return OPTIONS[store]
    if is_url(store):
        return ("bucket", {"url": store})
    if isinstance(store, str | Path):
        return ("disk", {"root": str(Path(store).expanduser().absolute())})
    return store
