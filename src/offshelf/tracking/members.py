"""The processes that run the same sweep at this moment, here and on other machines: files in a home that they share.

`<home>/sweeps/<digest>/members` has a file for each, locked as long as it takes part: the operating system lets go when
the process dies, however it dies, so that no clock has to be asked. `parent` names the run that their jobs belong
under. The folder goes with the last of them, or when the next one comes.
"""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

SHARED = 0o666
"""Rights of locks: whoever may write into their folder may see whether they are held."""


@dataclass
class Members:
    """Those of one sweep; this process is one of them between `join` and the end of `leaving`."""

    home: Path
    digest: str
    _own: Any = field(default=None, repr=False)
    """Lock of this process."""

    @property
    def folder(self) -> Path:
        """What they share."""
        return self.home / "sweeps" / self.digest[:32]

    @property
    def parent(self) -> str:
        """Id of the parent run that they have or, where they have died, had; empty where it is not known."""
        try:
            return (self.folder / "parent").read_text(encoding="utf-8")
        except OSError:
            return ""

    @property
    def is_joined(self) -> bool:
        """Whether this process is one of them."""
        return self._own is not None

    @contextmanager
    def in_turn(self) -> Iterator[None]:
        """One process of the home after the other, where the home knows locks and is there; for what takes no time."""
        from filelock import FileLock

        with ExitStack() as stack:
            with suppress(OSError, NotImplementedError):
                stack.enter_context(FileLock(self.home / "sweep.lock", mode=SHARED))
            yield

    def others(self) -> bool:
        """Whether there are any but this process."""
        from filelock import FileLock, Timeout

        own = Path(self._own.lock_file) if self._own else None
        for path in (self.folder / "members").glob("*.lock"):
            try:
                if path != own:
                    FileLock(path, timeout=0, mode=SHARED).acquire().lock.release()
            except Timeout:
                return True
            except OSError:  # it leaves at this moment
                continue
        return False

    def join(self) -> tuple[str, bool]:
        """Become one of them, in turn; where the home does not take that, this process stays by itself.

        Returns:
            See `parent`, and whether it is that of others who are at work.
        """
        from filelock import FileLock

        parent, others = self.parent, self.others()
        if not others:
            shutil.rmtree(self.folder, ignore_errors=True)
        try:
            (self.folder / "members").mkdir(parents=True, exist_ok=True)
            place = self.folder / "members" / f"{uuid4().hex}.lock"
            own = FileLock(place, thread_local=False, mode=SHARED)
            own.acquire()
        except (OSError, NotImplementedError):
            return "", False
        self._own = own
        return parent, others and bool(parent)

    def note(self, parent: str) -> None:
        """Tell those that come later of the parent run."""
        with suppress(OSError):
            (self.folder / "parent").write_text(parent, encoding="utf-8")

    @contextmanager
    def leaving(self) -> Iterator[bool]:
        """Leave, in turn, after what is done with the answer: whether this process is the last."""
        if not self.is_joined:
            yield True
            return
        with self.in_turn():
            try:
                yield not self.others()
            finally:
                self.leave()

    def leave(self) -> None:
        """Be none of them any more; in turn."""
        if not self.is_joined:
            return
        if not self.others():
            shutil.rmtree(self.folder, ignore_errors=True)
        with suppress(OSError):
            Path(self._own.lock_file).unlink(missing_ok=True)
            self._own.release()
        self._own = None
