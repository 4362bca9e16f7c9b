"""Tables of a report: formatted for people, and with all digits for programs."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from offshelf.report import Sheet
from offshelf.study.line import ReportLine
from offshelf.study.reading import Number
from offshelf.study.study import Column, Study

NOT_RUN = "not run"
UNKNOWN = "–"
ERROR_BARS = "All numbers are percent. ±: half of the 95 % bootstrap interval over the {items}."
AGAINST = "Differences are ours minus the published number, which came without an interval; their ± is that of ours."


def run_sheet(study: Study, lines: Sequence[ReportLine], columns: Sequence[Column]) -> Sheet:
    """Return a table of published methods, each followed by the runs compared with it and the differences."""
    rows = []
    for method, cells in study.published.items():
        rows.append([method, *(_text(cells.get(column.beside)) for column in columns)])
        for line in lines:
            if line.row.beside == method:
                rows += _beside(line, columns, cells)
    rows += [_ours(line, columns) for line in lines if line.row.beside is None]
    notes = [
        _error_bars(columns),
        *([AGAINST] if any(row.beside for row in study.rows) else []),
        *_not_run(lines),
        *study.notes,
    ]
    return Sheet(study.title, ["method", *(column.name for column in columns)], rows, notes)


def layer_sheet(study: Study, lines: Sequence[ReportLine], columns: Sequence[Column]) -> Sheet:
    """Return a table with a row per layer."""
    rows = [
        [line.row.name, line.layer or UNKNOWN, *(_number(line.numbers[column.name]) for column in columns)]
        for line in lines
    ]
    notes = [_error_bars(columns), *_not_run(lines), *study.notes]
    return Sheet(study.title, ["run", "layer", *(column.name for column in columns)], rows, notes)


def cells(study: Study, lines: Sequence[ReportLine]) -> dict[str, list[Any]]:
    """Return a row per cell, in percent with all digits; None for unknown numbers.

    Columns: method, layer, column, value, low, high, published, difference, run (its id).
    """
    names = ("method", "layer", "column", "value", "low", "high", "published", "difference", "run")
    rows = list(_cells(study, lines))
    return {name: [row[place] for row in rows] for place, name in enumerate(names)}


def _cells(study: Study, lines: Sequence[ReportLine]) -> Iterator[tuple[Any, ...]]:
    for line in lines:
        for column in study.columns:
            published = _published(study, line, column)
            number = line.numbers[column.name]
            value, interval = (number.value, number.interval) if number else (None, None)
            ends = (interval.low, interval.high) if interval else (None, None)
            difference = None if value is None or published is None else value - published
            run = number.run if number else None
            yield (line.row.name, line.layer or None, column.name, value, *ends, published, difference, run)


def _published(study: Study, line: ReportLine, column: Column) -> float | None:
    return study.published[line.row.beside].get(column.beside) if line.row.beside else None


def _beside(line: ReportLine, columns: Sequence[Column], published: Mapping[str, float | None]) -> list[list[str]]:
    differences = [_difference(line.numbers[column.name], published.get(column.beside)) for column in columns]
    return [_ours(line, columns), *([["difference", *differences]] if line.was_run else [])]


def _ours(line: ReportLine, columns: Sequence[Column]) -> list[str]:
    return [f"ours: {line.row.name}", *(_number(line.numbers[column.name]) for column in columns)]


def _number(number: Number | None) -> str:
    if number is None:
        return NOT_RUN
    if number.value is None:
        return UNKNOWN
    return f"{number.value:.1f}{_bar(number)}"


def _difference(number: Number | None, published: float | None) -> str:
    if number is None or number.value is None or published is None:
        return UNKNOWN
    return f"{round(number.value - published, 1) + 0.0:+.1f}{_bar(number)}"  # + 0.0: no minus before a zero


def _error_bars(columns: Sequence[Column]) -> str:
    kinds = {"queries" if column.of_queries else "test images": None for column in columns}
    return ERROR_BARS.format(items=" or ".join(kinds))


def _bar(number: Number) -> str:
    return "" if number.half is None else f" ± {number.half:.1f}"


def _text(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.1f}"


def _not_run(lines: Sequence[ReportLine]) -> list[str]:
    missing = [line.row.name for line in lines if not line.was_run]
    return [f"Not run, so that there is no number of ours: {'; '.join(missing)}."] if missing else []
