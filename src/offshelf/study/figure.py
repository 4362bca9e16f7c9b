"""Figures of a report, drawn with matplotlib's object interface. Values are percentages."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from offshelf.report.literal import literal
from offshelf.study.line import ReportLine
from offshelf.study.reading import Number
from offshelf.study.study import Column, Study

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FEW = 5
"""Largest number of columns that get a panel each."""
ABREAST = 3
"""Number of panels in a row."""


def run_figure(study: Study, lines: Sequence[ReportLine]) -> "Figure":
    """Draw runs with error bars and published numbers as hollow markers.

    Few columns get a panel each. With many columns, each method gets a colour instead, and only published methods that
    runs are compared with are drawn.
    """
    if len(study.columns) <= FEW:
        return _by_method(study, _entries(study, lines, study.published))
    paired = dict.fromkeys(line.row.beside for line in lines if line.row.beside)
    return _by_column(study, _entries(study, lines, paired))


def layer_figure(study: Study, lines: Sequence[ReportLine]) -> "Figure":
    """Draw a panel per run: each column by depth, single classes as thin lines, others thick with an error band."""
    from matplotlib.figure import Figure

    panels = [(row, [line for line in lines if line.row is row]) for row in study.rows]
    abreast = min(ABREAST, len(panels))
    height = math.ceil(len(panels) / abreast)
    most = max(len(mine) for _, mine in panels)
    size = (max(5.0, 0.3 * most) * abreast, 4.2 * height)
    figure = Figure(figsize=size, layout="constrained")
    grid = figure.subplots(height, abreast, sharey=True, squeeze=False).ravel()
    for axes, (row, mine) in zip(grid, panels, strict=False):
        _draw_layers(axes, study.columns, mine)
        axes.set_title(literal(row.name))
        axes.grid(alpha=0.3)
    for axes in grid[len(panels) :]:
        axes.set_axis_off()
    figure.suptitle(study.title)
    figure.supylabel("percent")
    drawn = [axes for axes in grid if axes.get_legend_handles_labels()[0]]
    if drawn and len(study.columns) > 1:
        figure.legend(*drawn[0].get_legend_handles_labels(), loc="outside right center", fontsize=8)
    return figure


def _draw_layers(axes: "Axes", columns: Sequence[Column], lines: Sequence[ReportLine]) -> None:
    if not any(line.was_run for line in lines):
        axes.text(0.5, 0.5, "not run", transform=axes.transAxes, ha="center", va="center", color="grey")
        axes.set_xticks([])
        return
    from matplotlib import colormaps

    depth = np.arange(len(lines))
    several = sum(column.label is None for column in columns) > 1
    for number, column in enumerate(columns):
        values, low, high = _band([line.numbers[column.name] for line in lines])
        if column.label is None:
            colour = f"C{number}" if several else "black"
            axes.fill_between(depth, low, high, alpha=0.2, color=colour, zorder=2)
            errors = [values - low, high - values]
            axes.errorbar(
                depth, values, errors, fmt="o-", capsize=3, color=colour, label=literal(column.name), zorder=3
            )
        else:
            shade = colormaps["tab20"](number % 20)
            axes.plot(depth, values, ".-", linewidth=0.8, markersize=4, color=shade, label=literal(column.name))
    axes.set_xticks(depth, [line.layer for line in lines], rotation=60, ha="right", fontsize=8)


@dataclass(frozen=True)
class _Entry:
    """Numbers of a method, in the order of the columns."""

    name: str
    numbers: Sequence[Number | None]
    style: Mapping[str, Any]


def _by_method(study: Study, entries: Sequence[_Entry]) -> "Figure":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3 + 3.2 * len(study.columns), 1.2 + 0.32 * len(entries)), layout="constrained")
    panels = figure.subplots(1, len(study.columns), sharey=True, squeeze=False)[0]
    height = np.arange(len(entries))[::-1]
    for number, (axes, column) in enumerate(zip(panels, study.columns, strict=True)):
        for place, entry in zip(height, entries, strict=True):
            values, low, high = _band([entry.numbers[number]])
            axes.errorbar(values, [place], xerr=[values - low, high - values], **entry.style)
        axes.set_yticks(height, [entry.name for entry in entries])
        axes.set_ylim(-0.7, len(entries) - 0.3)
        axes.set_xlabel(literal(f"{column.name}, percent"))
        axes.grid(alpha=0.3)
    figure.suptitle(study.title)
    return figure


def _by_column(study: Study, entries: Sequence[_Entry]) -> "Figure":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.5 + 0.5 * len(study.columns), 4.5), layout="constrained")
    axes = figure.add_subplot(title=literal(study.title), ylabel="percent")
    place = np.arange(len(study.columns))
    shifts = np.linspace(-0.25, 0.25, len(entries)) if len(entries) > 1 else np.zeros(1)
    for number, (shift, entry) in enumerate(zip(shifts, entries, strict=True)):
        values, low, high = _band(entry.numbers)
        style = {**entry.style, "color": f"C{number}"}
        axes.errorbar(place + shift, values, [values - low, high - values], label=literal(entry.name), **style)
    axes.set_xticks(place, [column.name for column in study.columns], rotation=60, ha="right")
    axes.grid(alpha=0.3)
    figure.legend(loc="outside right center", fontsize=8)
    return figure


_PUBLISHED: Mapping[str, Any] = {"fmt": "o", "markersize": 5, "markerfacecolor": "none", "color": "grey"}
_OURS: Mapping[str, Any] = {"fmt": "o", "markersize": 5, "capsize": 3, "color": "tab:blue"}


def _entries(study: Study, lines: Sequence[ReportLine], methods: Iterable[str]) -> list[_Entry]:
    """Return published methods, each followed by the runs compared with it, and then all other runs."""
    entries = []
    for method in methods:
        cells = [study.published[method].get(column.beside) for column in study.columns]
        numbers = [None if cell is None else Number(cell, None, "") for cell in cells]
        entries.append(_Entry(f"{method}, published", numbers, _PUBLISHED))
        entries += [_ours(study, line) for line in lines if line.row.beside == method]
    return entries + [_ours(study, line) for line in lines if line.row.beside is None]


def _ours(study: Study, line: ReportLine) -> _Entry:
    name = f"ours: {line.row.name}" + ("" if line.was_run else " (not run)")
    return _Entry(name, [line.numbers[column.name] for column in study.columns], _OURS)


def _band(numbers: Sequence[Number | None]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return values and the ends of their intervals, float64 each; NaN for unknown values."""
    triples = []
    for number in numbers:
        value = np.nan if number is None or number.value is None else number.value
        interval = number.interval if number else None
        triples.append((value, interval.low, interval.high) if interval else (value, value, value))
    values, low, high = np.array(triples, float).T
    return values, np.minimum(low, values), np.maximum(high, values)
