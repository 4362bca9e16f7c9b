"""Reliability diagrams: how often images come true, by the confidence of a classifier."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from offshelf.evaluation.score import Score
from offshelf.metric import Outcome, probability_metrics_of, reliability
from offshelf.metric.probability import BINS
from offshelf.report.literal import literal

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WORDS = {"ece": "expected calibration error", "brier_score": "Brier score", "log_loss": "log loss"}


def reliability_columns(score: Score, classes: Sequence[str]) -> dict[str, list[Any]]:
    """Return columns: probabilities (`reported`, `uncalibrated`), label (of several), and the bins of Reliability.

    A bin has its ends `above` and `up_to`, its `images` of all folds together, their mean `confidence` and `accuracy`,
    the share that comes true; None without images. There are no columns without probabilities.
    """
    edges = np.linspace(0, 1, BINS + 1).tolist()
    rows: list[dict[str, Any]] = []
    for kind, outcomes in score.probable.items():
        diagrams = reliability(outcomes)
        names = [{"label": name} for name in classes] if score.is_multilabel else [{}]
        for name, one in zip(names, diagrams, strict=True):
            bins = zip(edges, edges[1:], one.counts.tolist(), one.confidences, one.shares, strict=False)
            rows += [
                {
                    "probabilities": kind,
                    **name,
                    **{"above": low, "up_to": high, "images": count},
                    **{"confidence": _known(confidence), "accuracy": _known(share)},
                }
                for low, high, count, confidence, share in bins
            ]
    return {column: [row[column] for row in rows] for column in rows[0]} if rows else {}


def reliability_figure(score: Score, title: str) -> "Figure":
    """Draw the share that comes true by the confidence, and below it the images by confidence.

    Images of all folds, and of several labels all labels, are taken together. Confidences on the diagonal are right.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.5, 6.5), layout="tight")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    upper.plot([0, 1], [0, 1], color="grey", linestyle="--")
    for (kind, outcomes), style in zip(score.probable.items(), ("o-", "s:"), strict=False):
        _draw(upper, lower, kind, outcomes, style)
    what = "images with the label" if score.is_multilabel else "right predictions"
    upper.set(title=literal(title), ylabel=f"share of {what}", xlim=(0, 1), ylim=(0, 1.02))
    lower.set(xlabel="probability of the label" if score.is_multilabel else "confidence", ylabel="test images")
    upper.grid(alpha=0.3)
    upper.legend()
    return figure


def probability_line(score: Score) -> str:
    """Return the metrics of probabilities on the test images in a sentence; empty without probabilities."""
    metrics, of_label = score.metrics, "mean_label_" if score.is_multilabel else ""
    said = []
    for name in probability_metrics_of(score.kind):
        if f"test/{name}" in metrics:
            before = metrics.get(f"test/{name}_uncalibrated")
            aside = "" if before is None else f" ({before:.4f} before calibration)"
            said.append(f"{WORDS[name.removeprefix(of_label)]} {metrics[f'test/{name}']:.4f}{aside}")
    mean = ", means over labels" if of_label else ""
    return f"Probabilities of {score.name} on the test images{mean}: {', '.join(said)}" if said else ""


def _draw(upper: "Axes", lower: "Axes", kind: str, outcomes: Sequence[Outcome], style: str) -> None:
    diagrams = reliability(outcomes)
    counts = np.sum([one.counts for one in diagrams], axis=0)
    means: Mapping[str, np.ndarray] = {
        name: np.sum([np.nan_to_num(getattr(one, name)) * one.counts for one in diagrams], axis=0)
        for name in ("confidences", "shares")
    }
    known = counts > 0
    line = upper.plot(
        means["confidences"][known] / counts[known], means["shares"][known] / counts[known], style, label=kind
    )
    edges = np.linspace(0, 1, BINS + 1)
    lower.stairs(counts, edges, color=line[0].get_color(), linestyle=line[0].get_linestyle())


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
