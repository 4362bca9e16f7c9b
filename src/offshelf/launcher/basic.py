"""Jobs one after the other, in this process."""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Basic:
    """See Launcher."""

    @property
    def slots(self) -> int:
        """See Launcher."""
        return 1

    def run(
        self, items: Sequence[Any], work: Callable[[Any], Any], folder: Path
    ) -> Generator[tuple[int, Any], None, None]:
        """See Launcher."""
        yield from ((number, work(item)) for number, item in enumerate(items))
