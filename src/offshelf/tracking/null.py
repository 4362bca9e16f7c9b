"""A tracker that records nothing: results are written to the output folder alone."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from offshelf.tracking.tracker import FinishedJob, Run, SweepRun, Tracker

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class NoTracking(Tracker):
    """A tracker that records nothing."""

    @override
    def check(self) -> None:
        pass

    @override
    @contextmanager
    def start(self, name: str, folder: Path | None = None) -> Iterator[Run]:
        yield NullRun()

    @override
    @contextmanager
    def sweep(self, name: str, digest: str = "", resume: bool = False, shared: bool = False) -> Iterator["NullSweep"]:
        yield NullSweep()

    @override
    def finished(self, digest: str) -> Mapping[str, FinishedJob]:
        return {}


@dataclass(frozen=True)
class NullRun(Run):
    """A run that records nothing."""

    id: str = ""
    is_sent: bool = False
    hint: str = ""

    @override
    def log(
        self,
        params: Mapping[str, Any] | None = None,
        metrics: Mapping[str, float] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        pass

    @override
    def log_table(self, columns: Mapping[str, Sequence[Any]], file: str) -> None:
        pass

    @override
    def log_figure(self, figure: "Figure", file: str) -> None:
        pass

    @override
    def log_file(self, path: Path) -> None:
        pass

    @override
    def log_text(self, text: str, file: str) -> None:
        pass

    @override
    def log_dataset(self, name: str, digest: str, context: str, profile: Mapping[str, Any]) -> None:
        pass

    @override
    @contextmanager
    def child(self, name: str) -> Iterator[Run]:
        yield NullRun()

    @override
    def confirm(self) -> None:
        pass

    @override
    def finish(self, work: Callable[[], None]) -> None:
        work()


@dataclass(frozen=True)
class NullSweep(SweepRun):
    """The parent of a sweep that records nothing."""

    id: str = ""
    folder: Path | None = None

    @property
    @override
    def run(self) -> NullRun:
        return NullRun()

    @override
    def finished(self) -> Mapping[str, FinishedJob]:
        return {}

    @override
    def log_table(self, columns: Mapping[str, Sequence[Any]], file: str) -> None:
        pass
