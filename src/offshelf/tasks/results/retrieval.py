"""Result of the task `retrieve`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from offshelf.dataset import LeftOut, RetrievalSet
from offshelf.evaluation.retrieval import RetrievalScore
from offshelf.report import (
    layer_scores,
    left_out_line,
    metric_columns,
    protocol_scores,
    query_table,
    repeats_line,
)
from offshelf.tasks.results.result import RunResult
from offshelf.terminal import Line

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True, kw_only=True, eq=False)
class RetrievalResult(RunResult):
    """Scores of one or several layers; the last layer is the reported one."""

    images: RetrievalSet = field(repr=False)
    """The references and queries that were used."""
    scores: tuple[RetrievalScore, ...] = field(repr=False)
    """One per layer, from input to output."""

    @property
    def chosen(self) -> RetrievalScore:
        """Score of the reported layer."""
        return self.scores[-1]

    @property
    def layer(self) -> str:
        """Name of the reported layer."""
        return self.chosen.name

    @property
    @override
    def objective(self) -> float:
        return self.chosen.metrics[f"test/{self.images.metric}"]

    @override
    def columns(self) -> dict[str, list[Any]]:
        """A row per layer: layer, dims and every metric."""
        columns = metric_columns(self.scores)
        dims = [score.dims for score in self.scores]
        return {"layer": columns.pop("layer"), "dims": dims, **columns}

    @override
    def to_dict(self) -> dict[str, Any]:
        return {**super().to_dict(), "dataset": self.images.name, "metric": self.images.metric, "layer": self.layer}

    @cached_property
    def queries(self) -> "DataFrame":
        """A row per query of the reported layer: its id and every metric."""
        import pandas

        return pandas.DataFrame(query_table(self.chosen, [query.id for query in self.images.queries]))

    @override
    def lines(self) -> list[Line]:
        return [*retrieval_lines(self.scores, self.run.title, self.images, self.run.left_out), *self.closing()]

    @override
    def closing(self) -> list[Line]:
        return [self.run.whereabouts]


def retrieval_lines(
    scores: Sequence[RetrievalScore], title: str, images: RetrievalSet, left_out: Sequence[LeftOut]
) -> list[Line]:
    """Return the tables of scores, and what is to be known about them."""
    tables: list[Line] = [layer_scores(scores, scores[-1], title), protocol_scores(scores[-1])]
    return [*tables, repeats_line(images), left_out_line(left_out)]
