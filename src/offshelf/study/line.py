"""The lines of a report: what was read off each run, or off each layer of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from offshelf.metric import Bootstrap
from offshelf.study.reading import Number, Reading
from offshelf.study.study import Column, Row, Study
from offshelf.tracking.mlflow.reading import TrackedRun, TrackedRuns

Numbers = Mapping[str, Number | None]
"""By the name of the column; None: not run."""


@dataclass(frozen=True)
class Line:
    """A run or, in a study of layers, one layer of it."""

    row: Row
    numbers: Numbers
    layer: str = ""

    @property
    def was_run(self) -> bool:
        """Whether any number is there."""
        return any(number is not None for number in self.numbers.values())


def run_lines(study: Study, runs: TrackedRuns, bootstrap: Bootstrap) -> list[Line]:
    """A line a row. Raises ConfigError or TrackingError where a run has not what a column asks for."""
    readings = {name: _reading(runs.named(name), bootstrap) for name in _names(study)}
    return [
        Line(row, {column.name: _number(readings[_name(row, column)], column) for column in study.columns})
        for row in study.rows
    ]


def layer_lines(study: Study, runs: TrackedRuns, bootstrap: Bootstrap) -> list[Line]:
    """A line a layer, from input to output; one for a row that was not run. Raises as `run_lines`."""
    lines = []
    for row in study.rows:
        run = runs.named(row.run)
        layers = _layers(runs, run) if run else [None]
        for layer in layers:
            reading = _reading(layer, bootstrap)
            numbers = {column.name: _number(reading, column) for column in study.columns}
            lines.append(Line(row, numbers, layer.params.get("layer", layer.name) if layer else ""))
    return lines


def _layers(runs: TrackedRuns, run: TrackedRun) -> Sequence[TrackedRun]:
    """The runs of its layers, without the baseline beside them; of one layer the run itself."""
    children = runs.children(run)
    return [child for child in children if child.params.get("backbone") == run.params.get("backbone")] or [run]


def _names(study: Study) -> list[str]:
    return list(dict.fromkeys(_name(row, column) for row in study.rows for column in study.columns))


def _name(row: Row, column: Column) -> str:
    """Of the run that a number is taken from."""
    return f"{row.run} {column.run}".rstrip()


def _reading(run: TrackedRun | None, bootstrap: Bootstrap) -> Reading | None:
    return Reading(run, bootstrap) if run else None


def _number(reading: Reading | None, column: Column) -> Number | None:
    return reading.number(column) if reading else None
