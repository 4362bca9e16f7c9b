"""What the results of all tasks have in common."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from offshelf.report import left_out_table
from offshelf.runs.recorder import RunSummary
from offshelf.terminal import Line, show

if TYPE_CHECKING:
    from pandas import DataFrame


class Result(ABC):
    """Result of a task."""

    @property
    def objective(self) -> float | None:
        """The number that Hydra's sweepers receive; None where the task has no number."""
        return None

    @abstractmethod
    def columns(self) -> Mapping[str, Sequence[Any]]:
        """Return the main table: column name to the values of all rows."""

    @cached_property
    def table(self) -> "DataFrame":
        """The main table; see `columns`."""
        import pandas

        return pandas.DataFrame(self.columns())

    @abstractmethod
    def closing(self) -> list[Line]:
        """Return what remains to be printed at the end, after all that the task's `notify` received."""

    def lines(self) -> list[Line]:
        """Return the whole result as texts and tables for a terminal."""
        return self.closing()

    def show(self) -> None:
        """Print the whole result."""
        show(*self.lines())

    def to_dict(self) -> dict[str, Any]:
        """Return the result as plain data, for instance for JSON."""
        columns = self.columns()
        return {"rows": [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]}

    def __float__(self) -> float:
        if self.objective is None:
            raise TypeError(f"{type(self).__name__} has no single number.")
        return self.objective

    def _repr_html_(self) -> str:
        """Return the main table for a notebook."""
        html: str = self.table._repr_html_()
        return html


@dataclass(frozen=True, kw_only=True, eq=False)
class RunResult(Result):
    """Result of a task that writes an output folder and can be tracked."""

    run: RunSummary
    """Name, identifier and output folder of the run, its metrics and the images that were left out."""

    @property
    def run_id(self) -> str:
        """Identifier given by the tracker; empty without tracking."""
        return self.run.id

    @property
    def folder(self) -> Path:
        """The output folder."""
        return self.run.folder

    @property
    def metrics(self) -> Mapping[str, float]:
        """All numbers of the run, under the names used in MLflow and metrics.json."""
        return self.run.metrics

    @override
    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.run.title,
            "run_id": self.run.id,
            "folder": str(self.run.folder),
            "objective": self.objective,
            "metrics": dict(self.run.metrics),
            "left_out": left_out_table(self.run.left_out),
            **super().to_dict(),
        }
