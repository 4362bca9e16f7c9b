"""Result of the task `recommend`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from typing_extensions import override

from offshelf.dataset import ImageSet
from offshelf.report import Standing, aside_lines, left_out_line, repeats_line, standing_columns, standing_table
from offshelf.tasks.results.result import RunResult
from offshelf.terminal import Line


@dataclass(frozen=True, kw_only=True, eq=False)
class Recommendation(RunResult):
    """Layers of all candidates, ranked by cross-validation on training images."""

    images: ImageSet = field(repr=False)
    """The training images that were used."""
    ranking: tuple[Standing, ...] = field(repr=False)
    """A row per layer, best first."""
    skipped: Mapping[str, str] = field(repr=False)
    """Backbones that were not tried, and why."""
    conclusion: str
    """A sentence: why the race ended, and what the winner is."""
    command: str
    """Command that runs the winner in full."""
    is_complete: bool = field(repr=False)
    """Whether the command holds all overrides of this run, so that it can be run as it is."""

    @property
    def backbone(self) -> str:
        """Name of the winning backbone."""
        return self.ranking[0].backbone

    @property
    def layer(self) -> str:
        """Name of the winning layer."""
        return self.ranking[0].layer

    @property
    @override
    def objective(self) -> float:
        return self.ranking[0].value

    @override
    def columns(self) -> dict[str, list[Any]]:
        """A row per layer, best first: the columns of recommendation.csv."""
        return standing_columns(self.ranking, self.images.metric)

    @override
    def to_dict(self) -> dict[str, Any]:
        found = {"backbone": self.backbone, "layer": self.layer, "command": self.command}
        return {**super().to_dict(), **found, "skipped": dict(self.skipped)}

    @override
    def closing(self) -> list[Line]:
        return [
            standing_table(self.ranking, self.images.metric, self.title),
            repeats_line(self.images),
            aside_lines(self.skipped),
            left_out_line(self.left_out),
            self.conclusion,
            "The winner in full, test images included:" if self.is_complete else "In full, with your overrides:",
            self.command,
            self.whereabouts,
        ]
