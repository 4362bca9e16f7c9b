"""The seam between tasks and experiment tracking: tasks speak to a Run, and never to MLflow."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Run(Protocol):
    """One tracked run, open."""

    @property
    def id(self) -> str:
        """The tracker's identifier of this run; empty for the null tracker."""

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


class Tracker(Protocol):
    """Where runs go; a frozen spec, `start` connects."""

    def start(self, name: str) -> AbstractContextManager[Run]:
        """Open a run (under the sweep's parent, when there is one); closed FINISHED, or FAILED when its body raises.

        Raises TrackingError when the store cannot be reached.
        """
