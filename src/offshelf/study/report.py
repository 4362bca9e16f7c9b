"""Report of a study: its table and figures, in a folder and in a run of the tracker."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offshelf.errors import StoreError
from offshelf.metric import Bootstrap
from offshelf.report import Sheet, csv_text, write_text
from offshelf.study.confusion_report import DIAGONAL, confusion_cells, confusion_sheet, confusions
from offshelf.study.figure import layer_figure, run_figure
from offshelf.study.line import ReportLine, layer_lines, run_lines
from offshelf.study.study import Study
from offshelf.study.table import cells, layer_sheet, run_sheet
from offshelf.tracking import Run
from offshelf.tracking.mlflow.reading import TrackedRuns

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False)
class Report:
    """Tables, figures and metrics of a study."""

    sheet: Sheet
    """The whole table."""
    brief: Sheet
    """The table without the numbers of single classes, for a terminal."""
    cells: Mapping[str, Sequence[Any]]
    """All numbers with all digits: column name to values."""
    figures: Mapping[str, "Figure"]
    """Figures by the name of their files, without a suffix."""
    metrics: Mapping[str, float]
    """The numbers that are not of single classes, for the tracker."""

    @cached_property
    def texts(self) -> dict[str, str]:
        """Text files of the report by name, drawings included."""
        drawings = {f"{name}.svg": _svg(figure) for name, figure in self.figures.items()}
        sheet = self.sheet
        return {
            "table.md": sheet.markdown(),
            "table.csv": csv_text(self.cells),
            "table.html": sheet.html(),
            **drawings,
        }

    def write(self, folder: Path) -> None:
        """Write all files. Raises StoreError if the folder cannot be written."""
        for file, text in self.texts.items():
            write_text(folder / file, text)
        try:
            for name, figure in self.figures.items():
                figure.savefig(folder / f"{name}.png", dpi=120)
        except OSError as error:
            raise StoreError(f"Could not write the report to {folder}: {error.strerror}.") from error

    def log(self, run: Run) -> None:
        """Log the metrics and all files to the tracker."""
        run.log(metrics=self.metrics)
        for file, text in self.texts.items():
            run.log_text(text, file)
        for name, figure in self.figures.items():
            run.log_figure(figure, f"{name}.png")


def make_report(study: Study, runs: TrackedRuns, bootstrap: Bootstrap) -> Report:
    """Find the runs of a study and read the numbers that it asks for.

    Raises:
        ConfigError: a run lacks a number that the study asks for.
        TrackingError: a run kept no predictions.
    """
    return _MAKERS[study.kind](study, runs, bootstrap)


def _of_runs(study: Study, runs: TrackedRuns, bootstrap: Bootstrap) -> Report:
    lines = run_lines(study, runs, bootstrap)
    whole, brief = (run_sheet(study, lines, columns) for columns in (study.columns, study.summary))
    return Report(whole, brief, cells(study, lines), {"figure": run_figure(study, lines)}, _metrics(study, lines))


def _of_layers(study: Study, runs: TrackedRuns, bootstrap: Bootstrap) -> Report:
    lines = layer_lines(study, runs, bootstrap)
    whole, brief = (layer_sheet(study, lines, columns) for columns in (study.columns, study.summary))
    return Report(whole, brief, cells(study, lines), {"figure": layer_figure(study, lines)}, _metrics(study, lines))


def _of_confusions(study: Study, runs: TrackedRuns, bootstrap: Bootstrap) -> Report:
    found = confusions(study, runs, bootstrap)
    sheet = confusion_sheet(study, found)
    drawn = [confusion for confusion in found if confusion]
    figures = {f"figure{number or ''}": confusion.figure() for number, confusion in enumerate(drawn)}
    metrics = {f"{one.row.name}/{DIAGONAL.name}": one.diagonal.value for one in drawn if one.diagonal.value is not None}
    return Report(sheet, sheet, confusion_cells(found), figures, metrics)


_MAKERS = {"table": _of_runs, "layers": _of_layers, "confusion": _of_confusions}


def _metrics(study: Study, lines: Sequence[ReportLine]) -> dict[str, float]:
    found = {}
    for line in lines:
        for column in study.summary:
            number = line.numbers[column.name]
            if number is not None and number.value is not None:
                found["/".join(filter(None, (line.row.name, line.layer, column.name)))] = number.value
    return found


def _svg(figure: "Figure") -> str:
    """Return a figure as SVG; equal figures give equal texts."""
    from matplotlib import rc_context

    file = io.StringIO()
    with rc_context({"svg.hashsalt": "offshelf"}):
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()
