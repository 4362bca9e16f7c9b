"""The processes that run the same sweep at this moment, here and on other machines, by files in a home they share.

`<home>/sweeps/<digest>/members` has one file per participant, locked as long as it takes part. The operating system
releases the lock when the process dies, however it dies, so that no timeouts are needed. `parent` names the parent run
of their jobs. The last participant removes the folder, or the next one that comes.
"""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

if TYPE_CHECKING:
    from filelock import BaseFileLock

LOCK_MODE = 0o666
"""Permissions of locks: whoever may write to the folder may test whether they are held."""


@dataclass(frozen=True)
class Joined:
    """What a process finds when it joins a sweep."""

    parent: str | None
    """Id of the parent run of the participants, or of those that have died; None if it is not known."""
    is_active: bool
    """Whether other participants are at work, under `parent`."""


ALONE = Joined(None, False)
"""What a process finds that runs its sweep alone."""


@dataclass
class Participants:
    """The participants of one sweep; this process is one of them from `join` to `leave`."""

    home: Path
    digest: str
    _own: "BaseFileLock | None" = field(default=None, repr=False)
    """Lock of this process."""

    @property
    def folder(self) -> Path:
        """Folder that the participants share."""
        return self.home / "sweeps" / self.digest[:32]

    @property
    def parent(self) -> str | None:
        """Id of the parent run of the participants, or of those that have died; None if it is not known."""
        try:
            return (self.folder / "parent").read_text(encoding="utf-8") or None
        except OSError:
            return None

    @property
    def has_joined(self) -> bool:
        """Whether this process is a participant."""
        return self._own is not None

    @contextmanager
    def taking_turns(self) -> Iterator[None]:
        """Exclude other processes of the home for a short time; without locks where the home does not support them."""
        from filelock import FileLock

        with ExitStack() as stack:
            with suppress(OSError, NotImplementedError):
                stack.enter_context(FileLock(self.home / "sweep.lock", mode=LOCK_MODE))
            yield

    def has_others(self) -> bool:
        """Return whether there are participants other than this process."""
        from filelock import FileLock, Timeout

        own = Path(self._own.lock_file) if self._own else None
        for path in (self.folder / "members").glob("*.lock"):
            try:
                if path != own:
                    FileLock(path, timeout=0, mode=LOCK_MODE).acquire().lock.release()
            except Timeout:
                return True
            except OSError:  # it is leaving at this moment
                continue
        return False

    def join(self) -> Joined:
        """Become a participant; call it inside `taking_turns`. If the home does not allow it, the process is alone."""
        from filelock import FileLock

        parent, has_others = self.parent, self.has_others()
        if not has_others:
            shutil.rmtree(self.folder, ignore_errors=True)
        try:
            (self.folder / "members").mkdir(parents=True, exist_ok=True)
            path = self.folder / "members" / f"{uuid4().hex}.lock"
            own = FileLock(path, thread_local=False, mode=LOCK_MODE)
            own.acquire()
        except (OSError, NotImplementedError):
            return ALONE
        self._own = own
        return Joined(parent, has_others and parent is not None)

    def announce(self, parent: str) -> None:
        """Tell participants that come later the id of the parent run."""
        with suppress(OSError):
            (self.folder / "parent").write_text(parent, encoding="utf-8")

    @contextmanager
    def leaving(self) -> Iterator[bool]:
        """Yield whether this process is the last participant, and leave after the block, while excluding others."""
        if not self.has_joined:
            yield True
            return
        with self.taking_turns():
            try:
                yield not self.has_others()
            finally:
                self.leave()

    def leave(self) -> None:
        """Stop being a participant; call it inside `taking_turns`. The last one removes the folder."""
        if self._own is None:
            return
        if not self.has_others():
            shutil.rmtree(self.folder, ignore_errors=True)
        with suppress(OSError):
            Path(self._own.lock_file).unlink(missing_ok=True)
            self._own.release()
        self._own = None
