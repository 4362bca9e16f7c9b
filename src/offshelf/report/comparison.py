"""A figure that compares runs: a metric with its error bars, by what the runs differ in."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from offshelf.metric import Interval
from offshelf.report.files import write_bytes
from offshelf.report.literal import literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


FIGURES = (".png", ".svg")
"""Suffixes of figure files."""


@dataclass(frozen=True)
class Point:
    """A run in the figure."""

    place: float | None
    """Position on the axis; None for a run without one, such as a baseline, which is drawn as a level."""
    line: str
    """The other differences, which select a line."""
    value: float
    interval: Interval | None


def comparison_figure(
    points: Sequence[Point], axis: str, metric: str, ticks: Sequence[str] = (), legend: str = ""
) -> "Figure":
    """Draw a line for each combination of the other differences, with error bars if they are recorded.

    Args:
        points: The runs, in any order.
        axis: Label of the positions.
        metric: Name of the values.
        ticks: Names of the positions 0, 1, …; if empty, positions are numbers.
        legend: Title of the legend.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(max(6.5, 0.7 * len(ticks)), 4.5), layout="tight")
    axes = figure.add_subplot(xlabel=literal(axis), ylabel=literal(metric.replace("_", " ")))
    lines = list(dict.fromkeys(point.line for point in points))
    for name in lines:
        _draw(axes, name, [point for point in points if point.line == name])
    places = [point.place for point in points if point.place is not None]
    if ticks:
        axes.set_xticks(range(len(ticks)), list(map(literal, ticks)), rotation=45, ha="right")
    elif min(places) > 0 and max(places) >= 10 * min(places):
        axes.set_xscale("log")
    if len(lines) > 1:
        axes.legend(title=literal(legend) or None)
    axes.grid(alpha=0.3)
    return figure


def write_figure(path: Path, figure: "Figure") -> None:
    """Write a figure in the format of the file's suffix.

    Raises:
        StoreError: The file cannot be written.
    """
    data = io.BytesIO()
    metadata = {"Date": None} if path.suffix == ".svg" else None  # the same figure gives the same bytes
    figure.savefig(data, format=path.suffix[1:], dpi=120, metadata=metadata)
    write_bytes(path, data.getvalue())


def _draw(axes: "Axes", name: str, points: Sequence[Point]) -> None:
    for point in points:
        if point.place is None:
            axes.axhline(point.value, color="grey", linestyle="--", label=literal(f"{name}: {point.value:.3f}"))
    placed = sorted(((point.place, point) for point in points if point.place is not None), key=lambda pair: pair[0])
    if placed:
        values = np.array([point.value for _, point in placed])
        intervals = [point.interval or Interval(np.nan, np.nan) for _, point in placed]
        ends = np.array([(one.low, one.high) for one in intervals]).T
        axes.errorbar(
            [place for place, _ in placed], values, np.abs(ends - values), fmt="o-", capsize=3, label=literal(name)
        )
