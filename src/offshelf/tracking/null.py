"""A tracker that keeps nothing: results stay in the output folder alone."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offshelf.tracking.tracker import FinishedJob, Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class NoTracking:
    """See Tracker."""

    def check(self) -> None:
        """Nothing can be missing."""

    @contextmanager
    def start(self, name: str, folder: Path | None = None) -> Iterator[Run]:
        """See Tracker."""
        yield NullRun()

    @contextmanager
    def sweep(self, name: str, digest: str = "", resume: bool = False, shared: bool = False) -> Iterator["NullSweep"]:
        """See Tracker."""
        yield NullSweep()

    def finished(self, digest: str) -> Mapping[str, FinishedJob]:
        """None are known."""
        return {}


@dataclass(frozen=True)
class NullRun:
    """See Run."""

    id: str = ""
    is_sent: bool = False
    hint: str = ""

    def log(
        self,
        params: Mapping[str, Any] | None = None,
        metrics: Mapping[str, float] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Nothing."""

    def log_table(self, columns: Mapping[str, Sequence[Any]], file: str) -> None:
        """Nothing."""

    def log_figure(self, figure: "Figure", file: str) -> None:
        """Nothing."""

    def log_file(self, path: Path) -> None:
        """Nothing."""

    def log_text(self, text: str, file: str) -> None:
        """Nothing."""

    def log_dataset(self, name: str, digest: str, context: str, profile: Mapping[str, Any]) -> None:
        """Nothing."""

    @contextmanager
    def child(self, name: str) -> Iterator[Run]:
        """Another of these."""
        yield NullRun()


@dataclass(frozen=True)
class NullSweep:
    """See SweepRun."""

    id: str = ""
    run: NullRun = field(default_factory=NullRun)
    folder: Path | None = None

    def finished(self) -> Mapping[str, FinishedJob]:
        """None are known."""
        return {}

    def log_table(self, columns: Mapping[str, Sequence[Any]], file: str) -> None:
        """Nothing."""
