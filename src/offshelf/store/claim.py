"""Claims, by which processes that share a store divide the work without a coordinator.

A claim is a lock on a small file, which the operating system releases when its holder dies. It works on one machine
and over a shared folder. No process waits for a claim: one that does not get it takes other work. Claims save double
work but are not needed for correctness: shards are immutable and named by their bytes, so that two processes that do
the same work leave the same shard.
"""

import contextlib
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from offshelf.errors import StoreError

log = logging.getLogger(__name__)

FOLDER = ".claims"
TRIES = 5
"""Number of attempts to make a folder that another process may prune at the same moment."""
SHARED = 0o666
"""Permissions of a lock file: if its holder dies, anyone who may write to the folder may take it."""


@dataclass(frozen=True, eq=False)
class Claim:
    """Work that belongs to this process until released, or until the process ends."""

    lock: Any = None

    @property
    def is_held(self) -> bool:
        """Whether the claim holds a lock."""
        return self.lock is not None and bool(self.lock.is_locked)

    def release(self) -> None:
        """Release the work for others; a second call does nothing."""
        if self.is_held:
            with contextlib.suppress(OSError):
                Path(self.lock.lock_file).unlink(missing_ok=True)
            self.lock.release()


def claim(folder: Path, name: str) -> Claim | None:
    """Claim the work of a name. Return None while another process has it.

    Raises:
        StoreError: The folder cannot be written to.
    """
    from filelock import Timeout

    place = folder / FOLDER
    try:
        lock = _locked(place, f"{name[:32]}.lock")
    except Timeout:
        return None
    except NotImplementedError:
        log.warning("%s is on a file system without locks: processes may do the same work twice.", folder)
        return Claim()
    except OSError as error:
        raise StoreError(
            f"The feature store {folder.parent} cannot be written to: {error.strerror}. Its features can still be "
            "used; to add new ones, make it writable or choose another place with home=… or store.root=…"
        ) from error
    return Claim(lock)


def _locked(place: Path, name: str) -> Any:
    from filelock import FileLock

    for left in reversed(range(TRIES)):
        try:
            place.mkdir(parents=True, exist_ok=True)
            lock = FileLock(place / name, timeout=0, thread_local=False, mode=SHARED)
            lock.acquire()
        except FileNotFoundError:
            if not left:
                raise
        else:
            return lock
    raise AssertionError  # the last attempt returns or raises


def is_claimed(folder: Path) -> bool:
    """Return whether a process is working in the folder at the moment."""
    for path in (folder / FOLDER).glob("*.lock"):
        mine = claim(folder, path.stem)
        if mine is None:
            return True
        mine.release()
    return False
