"""Figures, drawn with matplotlib's object interface, without windows or global state."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from offshelf.classifier import Curve
from offshelf.evaluation.retrieval import RetrievalScore
from offshelf.evaluation.score import Score
from offshelf.evaluation.spectra import Spectra
from offshelf.metric import Outcome
from offshelf.metric.retrieval_curve import precision_recall
from offshelf.report.files import Scored
from offshelf.report.literal import literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def confusion_figure(confusion: np.ndarray, classes: Sequence[str], title: str) -> "Figure":
    """Draw a confusion matrix, int64 [K, K], as shares of each true class; with up to 20 classes also the counts."""
    from matplotlib.figure import Figure

    counts = confusion.sum(axis=1, keepdims=True)
    shares = np.divide(confusion, counts, out=np.zeros(confusion.shape), where=counts > 0)
    side = min(12.0, 3 + 0.35 * len(classes))
    figure = Figure(figsize=(side, side))
    # Fixed margins: fitting them to the labels would draw everything twice.
    margin = 0.2 if len(classes) <= 40 else 0.1
    axes = figure.add_axes(
        (margin, margin, 0.95 - margin, 0.92 - margin), title=literal(title), xlabel="predicted", ylabel="true"
    )
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    if len(classes) <= 40:
        _name_cells(axes, _short(classes), 72 * margin * side)
    if len(classes) <= 20:
        for row, column in np.argwhere(confusion):
            colour = "white" if shares[row, column] > 0.5 else "black"
            count = str(confusion[row, column])
            axes.text(column, row, count, ha="center", va="center", color=colour, fontsize=8)
    return figure


def scatter_figure(outcomes: Sequence[Outcome], name: str, title: str) -> "Figure":
    """Draw predicted against true numbers of the test images of all folds; on the diagonal they are equal."""
    from matplotlib.figure import Figure

    true, predicted = (np.concatenate([getattr(one, what) for one in outcomes]) for what in ("targets", "predictions"))
    figure = Figure(figsize=(5.5, 5.5), layout="tight")
    axes = figure.add_subplot(title=literal(title), xlabel=literal(f"true {name}"), ylabel=literal(f"predicted {name}"))
    many = len(true) > 500
    axes.plot(true, predicted, ".", markersize=3 if many else 6, alpha=0.4 if many else 0.7, rasterized=True)
    ends = [min(true.min(), predicted.min()), max(true.max(), predicted.max())]
    axes.plot(ends, ends, color="grey", linestyle="--", linewidth=1)
    axes.set_aspect("equal", adjustable="datalim")
    axes.grid(alpha=0.3)
    return figure


def _name_cells(axes: "Axes", names: Sequence[str], margin: float) -> None:
    """Write the names of rows and columns into a margin, in points: as texts, which take less time than ticks."""
    axes.set(xticks=[], yticks=[])
    below, beside = axes.get_xaxis_transform(), axes.get_yaxis_transform()
    for place, name in enumerate(names):
        axes.text(place, -0.02, name, rotation=90, ha="center", va="top", transform=below)
        axes.text(-0.02, place, name, ha="right", va="center", transform=beside)
    longest = min(14 + 6.5 * max(map(len, names)), margin - 16)
    axes.xaxis.labelpad = axes.yaxis.labelpad = longest


def layer_figure(scores: Sequence[Scored], beside: Sequence[Scored], title: str) -> "Figure":
    """Draw the test metric by depth with error bars, the cross-validated one next to it, and the baseline as a line."""
    from matplotlib.figure import Figure

    metric = scores[0].metric
    figure = Figure(figsize=(max(6.0, 0.7 * len(scores)), 4), layout="tight")
    axes = figure.add_subplot(title=literal(title), ylabel=metric.replace("_", " "))
    depth = range(len(scores))
    values = np.array([score.metrics[f"test/{metric}"] for score in scores])
    ends = [[score.metrics.get(f"test/{metric}_{end}", np.nan) for score in scores] for end in ("low", "high")]
    axes.errorbar(depth, values, np.abs(ends - values), fmt="o-", capsize=3, label="test")
    if all(f"cv/{metric}" in score.metrics for score in scores):
        mean = [score.metrics[f"cv/{metric}"] for score in scores]
        spread = [score.metrics[f"cv/{metric}_std"] for score in scores]
        axes.errorbar(depth, mean, spread, fmt="s:", alpha=0.5, capsize=3, label="cross-validated, training")
    for baseline in beside:
        level = baseline.metrics[f"test/{metric}"]
        axes.axhline(level, color="grey", linestyle="--", label=literal(f"{baseline.name}: {level:.3f}"))
    axes.set_xticks(depth, [literal(score.name) for score in scores], rotation=45, ha="right")
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def similarity_figure(spectra: Spectra, title: str) -> "Figure":
    """Draw the linear CKA of all pairs of layers as a heat map; of up to 20 layers also the numbers."""
    from matplotlib.figure import Figure

    names = _short(list(spectra.layers))
    side = min(14.0, 3.5 + 0.45 * len(names))
    figure = Figure(figsize=(side + 1, side), layout="tight")
    axes = figure.add_subplot(title=literal(f"{title}: linear CKA"))
    figure.colorbar(axes.imshow(spectra.cka_LL, cmap="viridis", vmin=0, vmax=1), shrink=0.8)
    axes.set_xticks(range(len(names)), names, rotation=90)
    axes.set_yticks(range(len(names)), names)
    for (row, column), value in np.ndenumerate(spectra.cka_LL if len(names) <= 20 else np.empty((0, 0))):
        colour = "black" if value > 0.6 else "white"
        axes.text(column, row, f"{value:.2f}", ha="center", va="center", color=colour, fontsize=7)
    return figure


def curve_figure(scores: Sequence[Score], beside: Sequence[Score], title: str) -> "Figure":
    """Draw the cross-validated metric by the hyperparameter: a line per layer, dark to light from input to output.

    Bands are the standard deviation over the folds, stars the chosen values, dashed lines the baseline.
    """
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    many = len(scores) + len(beside) > 5
    figure = Figure(figsize=(9 if many else 6.5, max(4.5, 0.22 * len(scores))), layout="tight")
    what = scores[0].metric.replace("_", " ")
    axes = figure.add_subplot(
        title=literal(title), xlabel=scores[0].parameter, ylabel=f"cross-validated {what}, training images"
    )
    axes.set_xscale("log")
    shades = colormaps["viridis"](np.linspace(0, 0.9, len(scores)))
    by_depth: list[dict[str, Any]] = [{"color": tuple(shade), "linestyle": "-"} for shade in shades]
    styles = by_depth + [{"color": "grey", "linestyle": "--"}] * len(beside)
    for score, style in zip([*scores, *beside], styles, strict=True):
        if score.curve:
            _draw_curve(axes, score.name, score.curve, [fit.value for fit in score.fits], style)
            ticks = sorted(score.curve.values)[:: 1 + len(score.curve.values) // 15]
            axes.set_xticks(ticks, [f"{value:.4g}" for value in ticks])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend(**({"loc": "center left", "bbox_to_anchor": (1, 0.5), "fontsize": 8} if many else {}))
    return figure


def precision_recall_figure(score: RetrievalScore, title: str) -> "Figure":
    """Draw the mean over queries of the interpolated precision by recall: a line per protocol."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.5, 4.5), layout="tight")
    axes = figure.add_subplot(
        title=literal(title), xlabel="recall", ylabel="mean of the largest precision from there on"
    )
    for protocol, ranks in score.ranks.items():
        precision = precision_recall(ranks)
        if not np.isnan(precision).any():
            axes.plot(np.linspace(0, 1, len(precision)), precision, label=literal(protocol.replace("_", " ")))
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    axes.grid(alpha=0.3)
    if len(score.ranks) > 1:
        axes.legend()
    return figure


def _draw_curve(axes: "Axes", name: str, curve: Curve, chosen: Sequence[float], style: Mapping[str, Any]) -> None:
    colour = style["color"]
    axes.plot(curve.values, curve.mean, marker=".", label=literal(name), **style)
    axes.fill_between(curve.values, curve.mean - curve.std, curve.mean + curve.std, alpha=0.08, color=colour)
    known = [value for value in chosen if value in curve.values]
    heights = [curve.mean[curve.values.index(value)] for value in known]
    axes.plot(known, heights, "*", markersize=11, color=colour, markeredgecolor="black")


def _short(names: Sequence[str]) -> list[str]:
    return [literal(name if len(name) <= 20 else name[:19] + "…") for name in names]
