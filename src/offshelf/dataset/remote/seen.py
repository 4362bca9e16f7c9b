"""What an earlier reading has seen of remote images, so that the same version is not read again for it."""

import hashlib
import logging
import os
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, TypeVar

from offshelf.dataset.intensity_range import Extent
from offshelf.dataset.location import Location, version_of
from offshelf.home import home_key, home_path

if TYPE_CHECKING:
    import sqlite3

log = logging.getLogger(__name__)

TABLE = """CREATE TABLE IF NOT EXISTS seen_1 (
    version BLOB PRIMARY KEY, digest BLOB NOT NULL, width INTEGER NOT NULL, height INTEGER NOT NULL,
    low REAL, high REAL, is_float INTEGER, is_whole INTEGER) WITHOUT ROWID"""
COLUMNS = "digest, width, height, low, high, is_float, is_whole"
BATCH = 256
"""Images that are recorded at once: what an interruption costs."""
PATIENCE = 30.0
"""Seconds to wait for another process that writes."""


T = TypeVar("T")


@dataclass(frozen=True)
class Look:
    """What reading the whole of an image file shows."""

    digest: str
    """SHA-256 of the bytes, in hexadecimal."""
    extent: Extent | None
    """Values of an image of more than 8 bits; None for others."""
    size: tuple[int, int] = (0, 0)
    """Width and height, upright; zeros if it is not recorded, as of an image that is not remote."""


@dataclass(eq=False)
class Seen:
    """Looks by version, in a database of the home. It only spares work: where it cannot be used, images are read."""

    file: Path
    process: int = field(default_factory=os.getpid)
    _new: dict[bytes, Look] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)
    _open: "sqlite3.Connection | None" = None

    def get(self, version: str, max_pixels: int) -> Look | None:
        """Return what was seen of a version that was found whole, and not larger than `max_pixels`."""
        key = _key(version)
        found = self._new.get(key) or self._stored(key)
        return found if found and found.size[0] * found.size[1] <= max_pixels else None

    def _stored(self, key: bytes) -> Look | None:
        def read(database: "sqlite3.Connection") -> Look | None:
            row = database.execute(f"SELECT {COLUMNS} FROM seen_1 WHERE version = ?", (key,)).fetchone()
            return _look(row) if row else None

        return self._with(read)

    def add(self, version: str, look: Look) -> None:
        """Record what was seen of a version."""
        with self._lock:
            self._new[_key(version)] = look
            is_full = len(self._new) >= BATCH
        if is_full:
            self.flush()

    def forget(self, version: str) -> None:
        """Forget what was seen of a version, which its bytes contradict."""
        key = _key(version)
        self._new.pop(key, None)
        self._with(lambda database: database.execute("DELETE FROM seen_1 WHERE version = ?", (key,)))

    def flush(self) -> None:
        """Write what is new."""
        with self._lock:
            rows = [(key, *_row(look)) for key, look in self._new.items()]
            if rows:
                add = f"INSERT OR REPLACE INTO seen_1 VALUES ({','.join('?' * 8)})"
                self._with(lambda database: database.executemany(add, rows), is_locked=True)
            self._new = {}

    def _with(self, work: "Callable[[sqlite3.Connection], T]", is_locked: bool = False) -> T | None:
        """Return the result of work with the database; None, and a line in the log, where it cannot be used."""
        import sqlite3  # in runs on remote images alone

        with nullcontext() if is_locked else self._lock:
            try:
                if self._open is None:
                    self.file.parent.mkdir(parents=True, exist_ok=True)
                    self._open = sqlite3.connect(self.file, timeout=PATIENCE, check_same_thread=False)
                    self._open.execute(TABLE)
                with self._open:  # a transaction
                    return work(self._open)
            except (OSError, sqlite3.Error) as error:
                log.info("%s cannot be used: %s", self.file, error)
                return None


def seen() -> Seen:
    """Return the looks of the home."""
    return _seen(home_key(), os.getpid())


@lru_cache(maxsize=4)
def _seen(home: str, process: int) -> Seen:
    return Seen(home_path(home) / "remote" / "seen.sqlite", process)


def seen_before(location: Location, max_pixels: int) -> Look | None:
    """Return what was seen of a location, if it has versions and this one was read as an image of that size."""
    version = version_of(location)
    return seen().get(version, max_pixels) if version else None


def record(location: Location, look: Look) -> None:
    """Record what was seen of a location, if it has versions."""
    version = version_of(location)
    if version:
        seen().add(version, look)


def forget(location: Location) -> None:
    """Forget what was seen of a location."""
    version = version_of(location)
    if version:
        seen().forget(version)


def _key(version: str) -> bytes:
    return hashlib.sha256(version.encode("utf-8", "surrogateescape")).digest()


def _look(row: tuple[bytes, int, int, float | None, float | None, int, int]) -> Look:
    digest, width, height, low, high, is_float, is_whole = row
    extent = None if low is None or high is None else Extent(low, high, bool(is_float), bool(is_whole))
    return Look(digest.hex(), extent, (width, height))


def _row(look: Look) -> tuple[bytes, int, int, float | None, float | None, int | None, int | None]:
    about = look.extent
    values = (about.low, about.high, int(about.is_float), int(about.is_whole)) if about else (None, None, None, None)
    return bytes.fromhex(look.digest), *look.size, *values
