"""Jobs one after the other, in this process."""

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from typing_extensions import override

from offshelf.launcher.launcher import Launcher, Piece, Work


@dataclass(frozen=True)
class Basic(Launcher):
    """Launcher that runs pieces one after the other, in this process."""

    @override
    def run(self, pieces: Sequence[Piece], work: Work, folder: Path) -> Generator[tuple[Any, Any], None, None]:
        for piece in pieces:
            with closing(work(piece)) as results:
                yield from zip(piece, results, strict=False)  # what comes after the last result is not waited for
