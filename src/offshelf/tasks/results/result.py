"""What the results of all tasks have in common."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from offshelf.dataset import LeftOut
from offshelf.report import left_out_table
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

    title: str
    """Name of the run."""
    run_id: str
    """Identifier given by the tracker; empty without tracking."""
    folder: Path
    """Output folder."""
    whereabouts: str = field(repr=False)
    """Sentences that say where the results are and how to look at them."""
    metrics: Mapping[str, float] = field(repr=False)
    """All numbers of the run, under the names used in MLflow and metrics.json."""
    left_out: tuple[LeftOut, ...] = field(default=(), repr=False)
    """Images that could not be used; not empty only with `on_error="skip"`."""

    @override
    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.title,
            "run_id": self.run_id,
            "folder": str(self.folder),
            "objective": self.objective,
            "metrics": dict(self.metrics),
            "left_out": left_out_table(self.left_out),
            **super().to_dict(),
        }
