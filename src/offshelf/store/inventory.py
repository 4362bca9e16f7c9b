"""The contents of a store by network: layers, views, sizes, ages, and the runs that used it."""

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from offshelf.errors import StoreError
from offshelf.identity import digest
from offshelf.secret import masked
from offshelf.store.shard import SUFFIX, DamagedShardError, GoneShardError, Shard, open_shard
from offshelf.store.verified_releases import FOLDER as RELEASES

RUNS = "runs"


@dataclass(frozen=True)
class Use:
    """The record that a run used a network's features; it has no effect on results."""

    name: str
    run: str
    """The tracker's identifier; empty without tracking."""
    time: float
    """Seconds since 1970."""
    config: Mapping[str, Any]
    """The run's resolved config, which is needed to extract the features again."""


@dataclass(frozen=True, eq=False)
class Holding:
    """All features of one network."""

    folder: Path
    backbone: str
    """Name and precision."""
    shards: tuple[Shard, ...]
    damaged: tuple[Path, ...]
    foreign: tuple[Path, ...]
    """Files that offshelf did not write, and temporary files of processes that died."""
    uses: tuple[Use, ...]
    """Uses, newest first."""

    @property
    def size(self) -> int:
        """Bytes of all shards, including damaged ones."""
        return sum(shard.size for shard in self.shards) + sum(size for size, _ in map(stat, self.damaged))

    @property
    def images(self) -> int:
        """Number of distinct images."""
        return len({row.tobytes() for shard in self.shards for row in shard.images})

    @property
    def touched(self) -> float:
        """Time of the last write or use of features, in seconds since 1970."""
        written = [moment for _, moment in (stat(shard.path) for shard in self.shards)]
        return max([*written, *(use.time for use in self.uses), 0.0])

    @property
    def features(self) -> dict[tuple[str, str, str], int]:
        """Number of rows by (module, pooling, view)."""
        counts: Counter[tuple[str, str, str]] = Counter()
        for shard in self.shards:
            for tensor in shard.tensors.values():
                counts[tensor.label["module"], tensor.label["pooling"], tensor.label["view"]] += tensor.shape[0]
        return dict(counts)


def holdings(root: Path) -> list[Holding]:
    """Return everything in a store, largest first.

    Raises:
        StoreError: The folder does not exist or cannot be read.
    """
    if not root.is_dir():
        raise StoreError(f"There is no feature store in {root} yet; offshelf extract or classify creates one.")
    try:
        return sorted(map(_holding, (path for path in root.iterdir() if path.is_dir())), key=lambda each: -each.size)
    except OSError as error:
        raise StoreError(f"Could not read the feature store {root}: {error.strerror}.") from error


def note_use(folder: Path, use: Use) -> None:
    """Record a run next to the features that it used. Raises OSError."""
    path = folder / RUNS / f"{use.run or digest(use.name)[:32]}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"name": use.name, "run": use.run, "time": use.time, "config": dict(use.config)}
    path.write_text(json.dumps(masked(content), default=str), encoding="utf-8")


def _holding(folder: Path) -> Holding:
    shards, damaged, foreign = [], [], []
    for path in sorted(folder.iterdir()):
        if path.suffix == SUFFIX and len(path.stem) == 64:
            try:
                shards.append(open_shard(path))
            except GoneShardError:
                continue
            except DamagedShardError:
                damaged.append(path)
        elif path.name not in (RUNS, RELEASES, ".claims"):
            foreign.append(path)
    labels = sorted({tensor.label["backbone"] for shard in shards for tensor in shard.tensors.values()})
    uses = tuple(sorted(_uses(folder / RUNS), key=lambda use: -use.time))
    return Holding(folder, ", ".join(labels) or "?", tuple(shards), tuple(damaged), tuple(foreign), uses)


def stat(path: Path) -> tuple[int, float]:
    """Return size in bytes and time of writing; zeros if the file was removed in the meantime."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return 0, 0.0
    return found.st_size, found.st_mtime


def _uses(folder: Path) -> Iterator[Use]:
    for path in folder.glob("*.json"):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            yield Use(content["name"], content["run"], float(content["time"]), dict(content["config"]))
        except (ValueError, KeyError, TypeError, OSError):
            continue  # half-written by a run that was killed; such a record is dispensable


def age(moment: float) -> str:
    """Return how long ago a moment was: `now`, `3 min ago`, `5 h ago`, `12 d ago`."""
    seconds = max(0.0, time.time() - moment)
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length:.0f} {unit} ago"
    return "now"
