"""What a launcher is."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

Piece = Sequence[Any]
"""Items that one process works on, one after the other, because they have work in common."""

Work = Callable[[Piece], Generator[Any, None, None]]
"""Yields a result for each item of a piece, as soon as it is there."""


@dataclass(frozen=True)
class Lost:
    """Result of an item whose process died."""

    why: str


class Launcher(Protocol):
    """A place where work is done: a frozen spec."""

    @property
    def slots(self) -> int:
        """Number of pieces that run at once on this machine, into which larger ones may be cut."""
        return 1

    def run(self, pieces: Sequence[Piece], work: Work, folder: Path) -> Generator[tuple[Any, Any], None, None]:
        """Do work on each piece. Yields each item and its result, in the order in which results come.

        An item whose process dies of it yields Lost; the rest of its piece goes on as a piece, and no other is harmed.
        To close the generator is to end what is still running, so that each item can end cleanly; no process is left
        then.

        Args:
            pieces: Items are data that can be pickled.
            work: A function of a module, or `functools.partial` of one, that raises no exception but to leave.
            folder: For files of the launcher's own, seen by all machines.

        Raises:
            ConfigError: work cannot be done there.
        """
