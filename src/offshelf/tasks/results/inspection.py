"""Result of the task `inspect`."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from typing_extensions import override

from offshelf.inspection.inspection import Inspection
from offshelf.report.html.inspection import FILE
from offshelf.report.inspection_lines import found, inspection_table
from offshelf.runs.recorder import RunSummary
from offshelf.tasks.results.result import RunResult
from offshelf.terminal import Line


@dataclass(frozen=True, kw_only=True, eq=False)
class InspectionResult(RunResult):
    """What is wrong with the images and labels of a set."""

    run: RunSummary
    inspection: Inspection = field(repr=False)
    """The lists."""
    notes: tuple[str, ...] = ()
    """What could not be looked for, in sentences."""

    @property
    def page(self) -> Path:
        """The page."""
        return self.folder / FILE

    @override
    def columns(self) -> dict[str, list[Any]]:
        """A row per list: what, its number of entries, the first of them, the CSV file with all."""
        rows = found(self.inspection)
        return {name: [getattr(one, name) for one in rows] for name in ("what", "count", "first", "file")}

    @override
    def lines(self) -> list[Line]:
        return [inspection_table(self.inspection, self.run.title), *self.notes, *self.closing()]

    @override
    def closing(self) -> list[Line]:
        return [self.run.whereabouts]
