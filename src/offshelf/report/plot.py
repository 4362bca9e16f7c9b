"""Figures, drawn with matplotlib's object interface: no windows, no global state."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from offshelf.evaluate import Score

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def confusion_figure(confusion: np.ndarray, classes: Sequence[str], title: str) -> "Figure":
    """Confusion matrix, int64 [K, K], as shares of each true class; counts are written in up to 20 classes."""
    from matplotlib.figure import Figure

    counts = confusion.sum(axis=1, keepdims=True)
    shares = np.divide(confusion, counts, out=np.zeros(confusion.shape), where=counts > 0)
    side = min(12.0, 3 + 0.35 * len(classes))
    figure = Figure(figsize=(side, side))
    # Fixed margins: fitting them to the labels would draw everything twice.
    margin = 0.2 if len(classes) <= 40 else 0.1
    axes = figure.add_axes(
        (margin, margin, 0.95 - margin, 0.92 - margin), title=title, xlabel="predicted", ylabel="true"
    )
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    if len(classes) <= 40:
        axes.set_xticks(range(len(classes)), _short(classes), rotation=90)
        axes.set_yticks(range(len(classes)), _short(classes))
    if len(classes) <= 20:
        for row, column in np.argwhere(confusion):
            colour = "white" if shares[row, column] > 0.5 else "black"
            count = str(confusion[row, column])
            axes.text(column, row, count, ha="center", va="center", color=colour, fontsize=8)
    return figure


def layer_figure(scores: Sequence[Score], beside: Sequence[Score], metric: str, title: str) -> "Figure":
    """Test metric by depth, cross-validated accuracy beside it, and the baseline as a line."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(max(6.0, 0.7 * len(scores)), 4), layout="tight")
    axes = figure.add_subplot(title=title, ylabel=metric.replace("_", " "))
    depth = range(len(scores))
    axes.plot(depth, [score.metrics[f"test/{metric}"] for score in scores], "o-", label="test")
    if all("cv/accuracy" in score.metrics for score in scores):
        mean = [score.metrics["cv/accuracy"] for score in scores]
        spread = [score.metrics["cv/accuracy_std"] for score in scores]
        axes.errorbar(depth, mean, spread, fmt="s:", alpha=0.5, capsize=3, label="cross-validated accuracy, training")
    for baseline in beside:
        level = baseline.metrics[f"test/{metric}"]
        axes.axhline(level, color="grey", linestyle="--", label=f"{baseline.name}: {level:.3f}")
    axes.set_xticks(depth, [score.name for score in scores], rotation=45, ha="right")
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def _short(names: Sequence[str]) -> list[str]:
    return [name if len(name) <= 20 else name[:19] + "…" for name in names]
