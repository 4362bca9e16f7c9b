"""The presentation of learning curves: table, columns and figure. What is extrapolated is marked as such."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from offshelf.evaluation.learning_curve import CurvePoint, LearningCurve, LearningCurves
from offshelf.metric import Interval
from offshelf.metric.power_law import LEVEL
from offshelf.report.literal import literal
from offshelf.terminal.grid import Grid, columns

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def learning_curve_table(curve: LearningCurve, chosen: Sequence[CurvePoint], title: str) -> Grid:
    """Return the metric by training size, and what is extrapolated.

    Args:
        curve: The curve of the reported layer.
        chosen: For each size the point of the layer that cross-validation with this size prefers.
        title: Title of the table.
    """
    metric = curve.points[0].metric.replace("_", " ")
    several = len({point.name for point in chosen}) > 1
    band = [f"{LEVEL:.0%} band"] if curve.extrapolations else []
    numbers = columns(["training size"], [f"test {metric}", *band, "images", "draws"])
    best_names = columns(["chosen with this size"] if several else [])
    grid = Grid([*numbers, *best_names], title, [_about(curve)])
    for point, best in zip(curve.points, chosen, strict=True):
        size = point.size
        cells = [_with_deviation(point), *[""] * len(band), f"{size.images:,.0f}", str(size.draws)]
        grid.add(size.name, *cells, *([f"{best.value:.4f} {best.name}"] if several else []))
    grid.end_section()
    for one in curve.extrapolations:
        ends = f"{one.interval.low:.4f} to {one.interval.high:.4f}"
        images = one.value / curve.points[-1].size.value * curve.sizes[-1]
        cells = [_aligned(one.predicted), ends, f"{images:,.0f}", ""]
        grid.add(f"{one.name}, extrapolated", *cells, *([""] if several else []))
    return grid


def _about(curve: LearningCurve) -> str:
    """Return what the numbers beside the metric are."""
    law = f"; band: {LEVEL:.0%} over draws of the fitted curve a - b n^-c, if its shape goes on" if curve.law else ""
    return f"±: standard deviation over draws of the training images{law}"


def _aligned(value: float) -> str:
    """Return a number whose digits are below those of numbers with a deviation."""
    return f"{value:.4f}" + " " * len(" ± 0.0000")


def learning_curve_columns(curves: LearningCurves) -> dict[str, list[Any]]:
    """Return columns: layer, size, mean number of images, what is known of the metric, and its value in each draw.

    Deviations are over draws, `low` and `high` over test images; of rows that are extrapolated they are the error band.
    """
    points, chosen = [*curves.points, *curves.baseline_points], curves.chosen
    first = points[0]
    beyond, last = chosen.extrapolations, chosen.points[-1].size
    most = max(len(point.by_draw) for point in points)
    intervals = [*(Interval.logged(point.metrics, point.metric) for point in points), *(one.interval for one in beyond)]
    absent = [None] * len(beyond)
    return {
        "layer": [*(point.name for point in points), *[chosen.name] * len(beyond)],
        first.size.unit: [*(point.size.value for point in points), *(one.value for one in beyond)],
        "images": [*(point.size.images for point in points), *(one.value / last.value * last.images for one in beyond)],
        "extrapolated": [False] * len(points) + [True] * len(beyond),
        first.metric: [*(point.value for point in points), *(one.predicted for one in beyond)],
        "std": [*(point.deviation for point in points), *absent],
        "low": [one.low if one else None for one in intervals],
        "high": [one.high if one else None for one in intervals],
        **{
            f"draw {number + 1}": [
                *(float(point.by_draw[number]) if number < len(point.by_draw) else None for point in points),
                *absent,
            ]
            for number in range(most)
        },
    }


def learning_curve_figure(curves: LearningCurves, title: str) -> "Figure":
    """Draw the test metric by training size with its deviation over draws: a line per layer, the baseline dashed.

    The extrapolation of the chosen layer is dotted, in its error band.
    """
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    layers, chosen, first = curves.layers, curves.chosen, curves.chosen.points[0]
    figure = Figure(figsize=(9 if len(layers) > 5 else 6.5, max(4.5, 0.22 * len(layers))), layout="tight")
    unit = "training images per class (shots)" if first.size.unit == "shots" else "fraction of the training images"
    axes = figure.add_subplot(title=literal(title), xlabel=unit, ylabel=f"test {first.metric.replace('_', ' ')}")
    axes.set_xscale("log")
    shades = [tuple(shade) for shade in colormaps["viridis"](np.linspace(0, 0.9, len(layers)))]
    for curve, colour in zip(layers, shades, strict=True):
        _draw(axes, curve, colour, "o-", 2.0 if curve is chosen else 1.0)
    for curve in curves.baselines:
        _draw(axes, curve, "grey", "--", 1.0)
    _draw_extrapolation(axes, chosen)
    ticks = [*(point.size.value for point in chosen.points), *(one.value for one in chosen.extrapolations)]
    axes.set_xticks(ticks, [f"{100 * tick:g} %" if first.size.unit == "fractions" else f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend(**({"loc": "center left", "bbox_to_anchor": (1, 0.5), "fontsize": 8} if len(layers) > 5 else {}))
    return figure


def _draw(axes: "Axes", curve: LearningCurve, colour: Any, style: str, width: float) -> None:
    sizes = [point.size.value for point in curve.points]
    bars = [point.deviation or 0.0 for point in curve.points]
    values = [point.value for point in curve.points]
    axes.errorbar(sizes, values, bars, fmt=style, color=colour, capsize=3, linewidth=width, label=literal(curve.name))


def _draw_extrapolation(axes: "Axes", curve: LearningCurve) -> None:
    if not curve.law:
        return
    last = curve.points[-1].size
    factors = np.linspace(1, curve.extrapolations[-1].value / last.value, 50)
    sizes, images = factors * last.value, factors * last.images
    bands = [curve.law.interval(count) for count in images]
    axes.plot(sizes, [curve.law(count) for count in images], ":", color="black", label="extrapolated")
    axes.fill_between(sizes, [one.low for one in bands], [one.high for one in bands], color="black", alpha=0.12)


def _with_deviation(point: CurvePoint) -> str:
    return f"{point.value:.4f}{'' if point.deviation is None else f' ± {point.deviation:.4f}'}"
