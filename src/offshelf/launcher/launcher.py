"""What a launcher is."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True)
class Lost:
    """Stands for the result of work whose process died of it."""

    why: str


class Launcher(Protocol):
    """Where work is done; a frozen spec."""

    @property
    def slots(self) -> int:
        """How many pieces that are too large for one may be cut into: those that run at once on this machine."""

    def run(
        self, items: Sequence[Any], work: Callable[[Any], Any], folder: Path
    ) -> Generator[tuple[int, Any], None, None]:
        """Do work on each item, and yield the item's place in the list and the result, in the order they come in.

        Work that dies with its process yields Lost and harms no other. To close the generator is to end what is still
        running, so that each piece can say good-bye; no process is left then.

        Args:
            items: Data that can be pickled.
            work: A function of a module, or `functools.partial` of one, that raises no exception but to leave.
            folder: For files of the launcher's own, seen by all machines.
        """
