"""Lines of a report: the numbers of each run, or of each of its layers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from offshelf.metric import Bootstrap
from offshelf.study.reading import Number, Reading
from offshelf.study.study import Column, Study, StudyRow
from offshelf.tracking.mlflow.reading import TrackedRun, TrackedRuns

Numbers = Mapping[str, Number | None]
"""Numbers by the name of the column; None: not run."""


@dataclass(frozen=True)
class ReportLine:
    """Numbers of a run or, in a study of layers, of one of its layers."""

    row: StudyRow
    numbers: Numbers
    layer: str = ""

    @property
    def was_run(self) -> bool:
        """Whether there is any number."""
        return any(number is not None for number in self.numbers.values())


def run_lines(study: Study, runs: TrackedRuns, bootstrap: Bootstrap) -> list[ReportLine]:
    """Return a line per row of the study.

    Raises:
        ConfigError: a run has no such metric or class as a column names.
        TrackingError: a run kept no predictions.
    """
    readings = {name: _reading(runs.named(name), bootstrap) for name in _names(study)}
    return [
        ReportLine(row, {column.name: _number(readings[_name(row, column)], column) for column in study.columns})
        for row in study.rows
    ]


def layer_lines(study: Study, runs: TrackedRuns, bootstrap: Bootstrap) -> list[ReportLine]:
    """Return a line per layer from input to output, and one line for a row that was not run. Raises as `run_lines`."""
    lines = []
    for row in study.rows:
        run = runs.named(row.run)
        layers = _layers(runs, run) if run else [None]
        for layer in layers:
            reading = _reading(layer, bootstrap)
            numbers = {column.name: _number(reading, column) for column in study.columns}
            lines.append(ReportLine(row, numbers, layer.params.get("layer", layer.name) if layer else ""))
    return lines


def _layers(runs: TrackedRuns, run: TrackedRun) -> Sequence[TrackedRun]:
    """Return the runs of the layers of a run, without the baseline; for a run of one layer, the run itself."""
    children = runs.children(run)
    return [child for child in children if child.params.get("backbone") == run.params.get("backbone")] or [run]


def _names(study: Study) -> list[str]:
    return list(dict.fromkeys(_name(row, column) for row in study.rows for column in study.columns))


def _name(row: StudyRow, column: Column) -> str:
    """Return the name of the run that a number is taken from."""
    return f"{row.run} {column.run}".rstrip()


def _reading(run: TrackedRun | None, bootstrap: Bootstrap) -> Reading | None:
    return Reading(run, bootstrap) if run else None


def _number(reading: Reading | None, column: Column) -> Number | None:
    return reading.number(column) if reading else None
