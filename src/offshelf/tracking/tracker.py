"""The seam between tasks and experiment tracking: tasks speak to a Run, and never to MLflow."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Run(Protocol):
    """One tracked run, open."""

    @property
    def id(self) -> str:
        """The tracker's identifier of this run; empty for the null tracker."""

    @property
    def is_sent(self) -> bool:
        """Whether MLflow has it, so that commands find it by its id; otherwise they do by its output folder alone."""

    @property
    def hint(self) -> str:
        """What to do next with it; empty for the null tracker."""

    def log(
        self,
        params: Mapping[str, Any] | None = None,
        metrics: Mapping[str, float] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Flat parameters, named numbers, and short texts to find the run by, in one call."""

    def log_table(self, columns: Mapping[str, Sequence[Any]], file: str) -> None:
        """A table, column name to values, as the JSON artifact `file` that MLflow shows and compares across runs."""

    def log_figure(self, figure: "Figure", file: str) -> None:
        """A matplotlib figure as the artifact `file` (a .png)."""

    def log_file(self, path: Path) -> None:
        """A file as an artifact of the same name."""

    def log_text(self, text: str, file: str) -> None:
        """A text artifact: YAML, CSV, Markdown."""

    def log_dataset(self, name: str, digest: str, context: str, profile: Mapping[str, Any]) -> None:
        """A data set as the run's input; `context` is `train`, `test` or `all`."""

    def child(self, name: str) -> "AbstractContextManager[Run]":
        """A run nested under this one; closed FINISHED, or FAILED when its body raises."""


@dataclass(frozen=True)
class FinishedJob:
    """A job of a sweep that is done and on record."""

    id: str
    name: str
    metric: str
    """The official metric's name; empty where the run has none."""
    metrics: Mapping[str, float]


class SweepRun(Protocol):
    """The parent run of a sweep, open."""

    @property
    def id(self) -> str:
        """See Run."""

    @property
    def run(self) -> Run:
        """The run itself."""

    @property
    def folder(self) -> Path | None:
        """Shared with other processes that run this sweep at this moment or come to it; None where that cannot be."""

    def finished(self) -> Mapping[str, FinishedJob]:
        """Jobs that are done, by their digests; after a sweep was taken up again, those of before too."""

    def log_table(self, columns: Mapping[str, Sequence[Any]], file: str) -> None:
        """See Run; a table of that name is replaced."""


class Tracker(Protocol):
    """Where runs go; a frozen spec, `start` connects."""

    def check(self) -> None:
        """Raise TrackingError where the store does not answer: before the work, and without connecting."""

    def start(self, name: str, folder: Path | None = None) -> AbstractContextManager[Run]:
        """Open a run (under the sweep's parent, when there is one); closed FINISHED, or FAILED when its body raises.

        `folder`, its output folder, takes what cannot be sent; without one, the home does.
        Raises TrackingError when the store cannot be reached.
        """

    def sweep(self, name: str, digest: str, resume: bool, shared: bool) -> AbstractContextManager[SweepRun]:
        """A run that all runs started meanwhile, in this process and its children, belong under.

        With `resume` the newest sweep of the same digest is taken up again, unless it is finished or in progress. With
        `shared`, too, processes that run it at the same time have one run together, which the last of them ends.
        """

    def finished(self, digest: str) -> Mapping[str, FinishedJob]:
        """Jobs that are done of the sweep that would be taken up again; nothing is written."""
