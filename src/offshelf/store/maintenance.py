"""Maintenance of a store: detection of damage, and deletion of features. Only files of offshelf are ever touched."""

import contextlib
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from offshelf.errors import ConfigError, StoreError
from offshelf.store.claim import FOLDER as CLAIMS
from offshelf.store.claim import is_claimed
from offshelf.store.inventory import RUNS, Holding, holdings, stat
from offshelf.store.verified_releases import FOLDER as RELEASES
from offshelf.suggest import did_you_mean

STALE_SECONDS = 3600
"""Age from which a temporary file counts as left by a dead process."""


@dataclass(frozen=True)
class Damage:
    """A shard whose bytes are not those that were written."""

    holding: Holding
    path: Path


def verify(root: Path) -> list[Damage]:
    """Read every byte of a store and compare it with the shards' names, which are SHA-256 digests.

    Raises:
        StoreError: The store does not exist or cannot be read.
    """
    found = [Damage(holding, path) for holding in holdings(root) for path in holding.damaged]
    whole = [(holding, shard) for holding in holdings(root) for shard in holding.shards]
    with ThreadPoolExecutor() as pool:
        intact = pool.map(lambda pair: pair[1].is_intact(), whole)
        found += [Damage(holding, shard.path) for (holding, shard), good in zip(whole, intact, strict=True) if not good]
    return found


def prunable(root: Path, backbone: str = "", unused_days: float | None = None) -> tuple[list[Holding], list[Holding]]:
    """Return the holdings that match, and those among them that a process is writing at the moment.

    Args:
        root: The store.
        backbone: Part of the backbone's name and precision, whatever the case, or the start of the network's digest;
            empty: all.
        unused_days: Select only what was neither written nor used for this number of days.

    Raises:
        ConfigError: The store has no features of that backbone.
    """
    matching = selected(holdings(root), backbone, unused_days)
    busy = [holding for holding in matching if is_claimed(holding.folder)]
    return [holding for holding in matching if holding not in busy], busy


def selected(held: Sequence[Holding], backbone: str = "", unused_days: float | None = None) -> list[Holding]:
    """Return the holdings that match; see `prunable`. Raises ConfigError if there are none of that backbone."""
    word = backbone.lower()
    named = [each for each in held if word in each.backbone.lower() or each.folder.name.startswith(word)]
    if word and not named:
        names = list(dict.fromkeys(each.backbone.split()[0] for each in held))
        raise ConfigError(f"The store holds no features of a backbone '{backbone}'{did_you_mean(word, names)}")
    return [each for each in named if unused_days is None or time.time() - each.touched >= unused_days * 86400]


def remove(chosen: Sequence[Holding]) -> int:
    """Delete all features of the holdings, except foreign files and features being written. Return the bytes freed."""
    freed = 0
    for holding in chosen:
        if is_claimed(holding.folder):
            continue
        remarks = (path for name in (RUNS, RELEASES) for path in (holding.folder / name).glob("*.json"))
        paths = [*(shard.path for shard in holding.shards), *holding.damaged, *remarks]
        for path in [*paths, *(holding.folder / CLAIMS).glob("*.lock")]:
            freed += _delete(path)
        for folder in (*(holding.folder / name for name in (RUNS, RELEASES, CLAIMS)), holding.folder):
            with contextlib.suppress(OSError):
                folder.rmdir()  # fails if the folder holds foreign files
    return freed


def remove_leftovers(root: Path) -> int:
    """Delete temporary files that dead processes left an hour ago or more. Return the bytes freed."""
    old = time.time() - STALE_SECONDS
    files = [path for holding in holdings(root) for path in holding.foreign if path.suffix == ".tmp"]
    return sum(_delete(path) for path in files if path.name.startswith(".") and stat(path)[1] < old)


def _delete(path: Path) -> int:
    try:
        size = path.stat().st_size
        path.unlink()
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise StoreError(f"Could not delete {path}: {error.strerror}.") from error
    return size
