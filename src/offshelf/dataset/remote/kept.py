"""Copies in the home of what was read from servers, up to a number of bytes."""

import hashlib
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from io import FileIO
from pathlib import Path
from threading import Lock

from xxhash import xxh3_128_digest

from offshelf.errors import ConfigError
from offshelf.home import home_key, home_path

log = logging.getLogger(__name__)

VARIABLE = "OFFSHELF_CACHE_GB"
DEFAULT = 4.0
"""Gigabytes (10^9 bytes)."""
CLOCK = 1.0
"""Seconds by which the clock of a file system may be behind."""
HEAD = 16
"""Bytes of the checksum before the data. A large array of NumPy begins 16 bytes after a page, too: where source and
target are aligned alike, Linux copies in a third of the time that it takes from 8 bytes after a page."""
ORDINARY = 0.95
"""Share of the room for the bytes of images; the rest is for small things that are made of them."""
FREED = 0.1
"""Share of the room that is freed at once."""


@dataclass(eq=False)
class Kept:
    """A folder of copies, each with a checksum. What is damaged counts as missing; nothing here ever stops a run.

    If there is no room, copies make way that this process has not used. Else new ones are not kept, so that of a set
    that is larger than the room a part is kept, rather than the last images read, which are wanted last.
    """

    folder: Path
    limit: int
    """Bytes; 0: nothing is kept."""
    began: float = field(default_factory=lambda: time.time() - CLOCK)
    _size: int | None = None
    _lock: Lock = field(default_factory=Lock)

    @cached_property
    def _top(self) -> str:
        """The folder as text: a path is made of it for each image, and `pathlib` takes longer than opening the file."""
        return str(self.folder)

    def get(self, version: str) -> bytes | None:
        """Return the bytes of a version; None if they are not kept."""
        try:
            with self._opened(version) as (file, _):
                checksum, data = file.read(HEAD), file.read()
        except OSError:
            return None
        return data if checksum == xxh3_128_digest(data) else None

    def read_into(self, version: str, memory: memoryview) -> bool:
        """Read a version into bytes of its size. Return whether it is kept; else anything may be in them."""
        try:
            with self._opened(version) as (file, size):
                if size != HEAD + len(memory):
                    return False
                checksum, left = file.read(HEAD), memory
                while left and (count := file.readinto(left)):
                    left = left[count:]
        except OSError:
            return False
        return checksum == xxh3_128_digest(memory)

    def put(self, version: str, data: bytes, share: float = ORDINARY) -> None:
        """Keep the bytes of a version if they fit into a share of the room."""
        if not self._has_room(len(data) + HEAD, int(share * self.limit)):
            return
        path = self._path(version)
        try:
            self._write(path, data)
        except OSError as error:
            log.info("%s cannot be written to: %s", self.folder, error.strerror)
            self.limit = 0

    @contextmanager
    def _opened(self, version: str) -> Iterator[tuple[FileIO, int]]:
        """Open a copy and note that it is used. Yields the file and its size; raises OSError."""
        path = self._path(version)
        with FileIO(path) as file:
            about = os.fstat(file.fileno())
            if about.st_mtime < self.began:
                os.utime(path)
            yield file, about.st_size

    @staticmethod
    def _write(path: str, data: bytes) -> None:
        """Write a copy in place: until it is whole, its checksum says that it is not."""
        content = xxh3_128_digest(data) + data
        try:
            file = FileIO(path, "w")
        except FileNotFoundError:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            file = FileIO(path, "w")
        with file:
            left = memoryview(content)
            while left:
                left = left[file.write(left) :]

    def _path(self, version: str) -> str:
        name = hashlib.sha256(version.encode("utf-8", "surrogateescape")).hexdigest()[:32]
        return f"{self._top}/{name[0]}/{name}"

    def _has_room(self, more: int, limit: int) -> bool:
        if more > limit:
            return False
        with self._lock:
            if self._size is None:
                self._size = sum(size for _, size, _ in self._copies())
            if self._size + more > limit:
                self._size -= self._make_room()
            if self._size + more > limit:
                return False
            self._size += more
            return True

    def _make_room(self) -> int:
        """Delete copies that this process has not used, the oldest first. Return the bytes."""
        freed = 0
        for moment, size, path in sorted(self._copies()):
            if moment >= self.began or freed >= FREED * self.limit:
                break
            path.unlink(missing_ok=True)
            freed += size
        return freed

    def _copies(self) -> list[tuple[float, int, Path]]:
        """Return time, size and path of all copies."""
        found = []
        for path in self.folder.glob("*/*"):
            try:
                about = path.stat()
            except OSError:
                continue
            found.append((about.st_mtime, about.st_size, path))
        return found


def kept() -> Kept:
    """Return the copies of the home. Raises ConfigError for an invalid number of bytes."""
    return _kept(home_key(), os.environ.get(VARIABLE, ""))


@lru_cache(maxsize=4)
def _kept(home: str, given: str) -> Kept:
    try:
        limit = float(given) if given else DEFAULT
    except ValueError:
        limit = -1.0
    if not 0 <= limit < 1e6:
        raise ConfigError(f"{VARIABLE} is a number of gigabytes, 0 or more; got '{given}'.")
    return Kept(home_path(home) / "remote" / "copies", int(limit * 1e9))
