"""The seam between tasks and experiment tracking: tasks use these protocols, and never MLflow itself."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Run(Protocol):
    """One open tracked run."""

    @property
    def id(self) -> str:
        """The tracker's identifier of this run; empty for the null tracker."""

    @property
    def is_sent(self) -> bool:
        """Whether MLflow has the run, so that commands find it by its id; otherwise they need its output folder."""

    @property
    def hint(self) -> str:
        """What the user can do next with the run; empty for the null tracker."""

    def log(
        self,
        params: Mapping[str, Any] | None = None,
        metrics: Mapping[str, float] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Log flat parameters, metrics, and short texts to find the run by, in one call."""

    def log_table(self, columns: Mapping[str, Sequence[Any]], file: str) -> None:
        """Log a table, column name to values, as the JSON artifact `file`, which MLflow shows and compares."""

    def log_figure(self, figure: "Figure", file: str) -> None:
        """Log a matplotlib figure as the artifact `file` (a .png)."""

    def log_file(self, path: Path) -> None:
        """Log a file as an artifact of the same name."""

    def log_text(self, text: str, file: str) -> None:
        """Log a text (YAML, CSV, Markdown) as the artifact `file`."""

    def log_dataset(self, name: str, digest: str, context: str, profile: Mapping[str, Any]) -> None:
        """Log a data set as the run's input.

        Args:
            name: Its name.
            digest: Its digest, of which MLflow stores 36 characters.
            context: `train`, `test` or `all`.
            profile: What MLflow shows of it, such as the number of images.
        """

    def child(self, name: str) -> "AbstractContextManager[Run]":
        """Open a run nested under this one; it ends as FINISHED, or as FAILED if the block raises."""

    def confirm(self) -> None:
        """Wait until the store has taken the run, before long work.

        Raises:
            TrackingError: The store cannot be used.
        """

    def finish(self, work: Callable[[], None]) -> None:
        """Do the last work of the run, such as its figures; everything else was logged before.

        The work may be done by another process, also if this one is killed, and its end is the end of the run. What it
        changes in memory is not seen afterwards.
        """


@dataclass(frozen=True)
class FinishedJob:
    """A finished job of a sweep, as it was tracked."""

    id: str
    name: str
    metric: str
    """Name of the official metric; empty if the run has none."""
    metrics: Mapping[str, float]


class SweepRun(Protocol):
    """The open parent run of a sweep."""

    @property
    def id(self) -> str:
        """The tracker's identifier of the parent run."""

    @property
    def run(self) -> Run:
        """The parent run itself."""

    @property
    def folder(self) -> Path | None:
        """Folder shared with the other processes that run this sweep; None if there is no such folder."""

    def finished(self) -> Mapping[str, FinishedJob]:
        """Return the finished jobs by their digests, including those of earlier processes of a resumed sweep."""

    def log_table(self, columns: Mapping[str, Sequence[Any]], file: str) -> None:
        """Log a table as `Run.log_table` does, replacing a table of that name."""


class Tracker(Protocol):
    """Where runs are tracked: a frozen specification that connects when a run is started."""

    def check(self) -> None:
        """Check that the store answers, before the work begins and without connecting.

        Raises:
            TrackingError: The store does not answer.
        """

    def start(self, name: str, folder: Path | None = None) -> AbstractContextManager[Run]:
        """Open a run, under the sweep's parent if there is one; it ends as FINISHED, or FAILED if the block raises.

        Args:
            name: Its name.
            folder: Its output folder, which stores what cannot be sent; without one, the home does.

        Raises:
            TrackingError: The store cannot be reached.
        """

    def sweep(self, name: str, digest: str, resume: bool, shared: bool) -> AbstractContextManager[SweepRun]:
        """Open the parent of all runs that are started inside the block, in this process and its children.

        Args:
            name: Its name.
            digest: Digest of the sweep's command.
            resume: Whether to resume the newest sweep of this digest, unless it is finished or in progress.
            shared: Whether processes that run the sweep at the same time share one parent run, which the last ends.
        """

    def finished(self, digest: str) -> Mapping[str, FinishedJob]:
        """Return the finished jobs of the sweep that would be resumed, by their digests; nothing is written."""
