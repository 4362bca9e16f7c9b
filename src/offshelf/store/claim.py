"""Claims: how processes that share a store, on one machine or over a shared folder, share work without a coordinator.

A claim is a lock on a small file, which the operating system lets go when its holder dies, however it dies. Nobody
waits for one: who does not get it takes other work. It saves double work and is not needed for correctness: shards are
immutable and named by their bytes, so that two who do the same leave what one would.
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
"""Times that a folder is made which somebody who prunes the store removes at that moment."""
SHARED = 0o666
"""Rights of a lock that its holder left behind by dying: whoever may write into the folder may take it."""


@dataclass(frozen=True, eq=False)
class Claim:
    """Work that is ours until released, or until this process ends."""

    lock: Any = None

    @property
    def is_held(self) -> bool:
        """Whether there is something to release."""
        return self.lock is not None and bool(self.lock.is_locked)

    def release(self) -> None:
        """Let others have it; twice is no error."""
        if self.is_held:
            with contextlib.suppress(OSError):
                Path(self.lock.lock_file).unlink(missing_ok=True)
            self.lock.release()


def claim(folder: Path, name: str) -> Claim | None:
    """Claim the work of a name; None while another process has it.

    Raises:
        StoreError: the folder cannot be written to.
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
            f"The feature store {folder.parent} cannot be written to: {error.strerror}. Features that are in it can be "
            "used; for new ones free it or choose another place with home=… or store.root=…"
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
    raise AssertionError  # the last try returns or raises


def is_claimed(folder: Path) -> bool:
    """Whether a process is at work in the folder at this moment."""
    for path in (folder / FOLDER).glob("*.lock"):
        mine = claim(folder, path.stem)
        if mine is None:
            return True
        mine.release()
    return False
