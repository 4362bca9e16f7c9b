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
    """Stands for the result of work whose process died of it."""

    why: str


class Launcher(Protocol):
    """Where work is done; a frozen spec."""

    @property
    def slots(self) -> int:
        """How many pieces that are too large for one may be cut into: those that run at once on this machine."""

    def run(self, pieces: Sequence[Piece], work: Work, folder: Path) -> Generator[tuple[Any, Any], None, None]:
        """Do work on each piece, and yield each item and its result, in the order they come in.

        An item whose process dies of it yields Lost; the rest of its piece goes on as a piece, and no other is harmed.
        To close the generator is to end what is still running, so that each item can say good-bye; no process is left
        then.

        Args:
            pieces: Items are data that can be pickled.
            work: A function of a module, or `functools.partial` of one, that raises no exception but to leave.
            folder: For files of the launcher's own, seen by all machines.
        """
