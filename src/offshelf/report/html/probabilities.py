"""What the scores of the test images are worth: reliability, histograms, precision by recall."""

from collections.abc import Sequence
from html import escape

import numpy as np

from offshelf.metric import Outcome, reliability
from offshelf.metric.probability import BINS
from offshelf.report.html.chart import Chart, figure, rounded, ticks
from offshelf.report.html.class_bars import bars_of
from offshelf.report.html.contents import Contents, Tested
from offshelf.report.reliability import WORDS

HISTOGRAM = 30
"""Number of bins."""
CURVES = 12
"""Number of labels whose precision is drawn."""
SCATTERED = 2000
"""Number of images whose predicted number is drawn."""


def score_charts(contents: Contents) -> str:
    """Return all charts of scores that there are for this kind of labels."""
    kind, tested = contents.chosen.kind, contents.tested
    if kind == "number":
        return scatter(contents)
    charts = [reliability_diagram(contents) if contents.chosen.has_probabilities else ""]
    return "".join([*charts, histogram(tested) if kind == "class" else precision_recall(contents)])


def reliability_diagram(contents: Contents) -> str:
    """Return the share of images that come true by their confidence, with the number of images below."""
    chart = Chart.of((0, 1), (0, 1))
    chart.y_axis("share that comes true")
    chart.x_axis("confidence", [(value, f"{value:g}") for value in ticks(0, 1)])
    chart.line([(0, 0), (1, 1)], "of-other")
    keys = []
    for (kind, outcomes), style in zip(contents.chosen.probable.items(), ("of-test", "of-cv"), strict=False):
        _reliability_line(chart, kind, outcomes, style)
        keys.append((style, kind))
    prefix = "mean_label_" if contents.chosen.is_multilabel else ""
    numbers = {words: contents.metrics.get(f"test/{prefix}{name}") for name, words in WORDS.items()}
    known = [f"{words} <b>{value:.4f}</b>" for words, value in numbers.items() if value is not None]
    before = "Bars are the share of test images. Points on the diagonal are right. "
    return figure(
        "Reliability", chart.svg("reliability diagram"), before + f"On the test images: {', '.join(known)}.", keys
    )


def _reliability_line(chart: Chart, kind: str, outcomes: Sequence[Outcome], style: str) -> None:
    diagrams = reliability(outcomes)
    counts = np.sum([one.counts for one in diagrams], axis=0)
    named = [[getattr(one, name) for one in diagrams] for name in ("confidences", "shares")]
    sums = [
        np.sum([np.nan_to_num(one) * diagram.counts for one, diagram in zip(each, diagrams, strict=True)], axis=0)
        for each in named
    ]
    known = np.flatnonzero(counts)
    edges = np.linspace(0, 1, BINS + 1)
    if style == "of-test":
        for number in known.tolist():
            share = counts[number] / counts.sum()
            tip = f"{edges[number]:.2f} to {edges[number + 1]:.2f}: {counts[number]:,} images, {share:.1%}"
            chart.bar((edges[number], edges[number + 1]), (0, share), "faint", tip)
    points = [(float(sums[0][one] / counts[one]), float(sums[1][one] / counts[one])) for one in known]
    chart.line(points, style)
    for (confidence, share), number in zip(points, known.tolist(), strict=True):
        tip = f"{kind}: confidence {confidence:.3f}, comes true {share:.3f}, {counts[number]:,} images"
        chart.mark(confidence, share, style, tip)


def histogram(tested: Tested) -> str:
    """Return the number of test images by their margin: left of 0 are the mistakes."""
    values = tested.margins
    top = max(float(np.abs(values).max()), 1e-9)
    width = _step(top)
    low, high = int(np.floor(min(values.min() / width, 0))), int(np.ceil(max(values.max() / width, 0)))
    edges = np.round(np.arange(low, max(high, low + 1) + 1) * width, 12)
    counts, _ = np.histogram(values, edges)
    chart = Chart.of((float(edges[0]), float(edges[-1])), (0, float(counts.max()) * 1.05))
    chart.y_axis("test images", is_count=True)
    chart.x_axis(
        "score of the true class − best other score", [(value, f"{value:g}") for value in ticks(edges[0], edges[-1])]
    )
    for left, right, count in zip(edges, edges[1:], counts.tolist(), strict=False):
        if count:
            kind = "wrong" if right <= 0 else "right"
            chart.bar((left, right), (0, count), kind, f"{left:g} to {right:g}: {count:,} images")
    chart.line([(0, 0), (0, float(counts.max()) * 1.05)], "of-other")
    close = int((np.abs(values) < width).sum())
    caption = f"{close:,} of {len(values):,} images are decided by less than {width:g}."
    keys = [("bar wrong", "wrong"), ("bar right", "right")]
    return figure("How clear the decisions are", chart.svg("histogram of margins"), caption, keys)


def _step(top: float) -> float:
    """Return a round width of bins."""
    raw = 2 * top / HISTOGRAM
    power = 10.0 ** np.floor(np.log10(raw))
    return float(power * min(factor for factor in (1, 2, 5, 10) if factor * power >= raw * (1 - 1e-9)))


def precision_recall(contents: Contents) -> str:
    """Return precision by recall of the labels: the worst by the official metric in colour, if there are many."""
    name, bars = bars_of(contents)
    chart = Chart.of((0, 1), (0, 1.02))
    chart.y_axis("precision")
    chart.x_axis("recall", [(value, f"{value:g}") for value in ticks(0, 1)])
    shown = [bar for bar in bars if not np.isnan(bar.value)][:CURVES]
    keys = []
    for place, bar in enumerate(shown):
        targets, scores = contents.tested.targets[:, bar.number], contents.tested.scores[:, bar.number]
        chart.line(_thin(precision_by_recall(targets, scores)), f"hue{place}")
        keys.append((f"line hue{place}", f"{bar.name} ({bar.value:.3f})"))
    which = f"The {CURVES} worst of {len(bars)} labels" if len(bars) > CURVES else "Labels, the worst first"
    return figure(
        "Precision and recall", chart.svg("precision by recall"), f"{which}, by {escape(name.replace('_', ' '))}.", keys
    )


def precision_by_recall(targets_M: np.ndarray, scores_M: np.ndarray) -> list[tuple[float, float]]:
    """Return recall and precision at every threshold, from the highest on; images of equal scores are one step."""
    counted = targets_M != 0
    positive, scores = targets_M[counted] > 0, scores_M[counted]
    order = np.argsort(-scores, kind="stable")
    found, ranked = np.cumsum(positive[order]), scores[order]
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    return list(zip((found[last] / max(found[-1], 1)).tolist(), (found[last] / (last + 1)).tolist(), strict=True))


def _thin(points: list[tuple[float, float]], most: int = 300) -> list[tuple[float, float]]:
    places = np.unique(np.linspace(0, len(points) - 1, min(most, len(points))).round().astype(int))
    return [points[place] for place in places]


def scatter(contents: Contents) -> str:
    """Return predicted against true numbers."""
    true, predicted = contents.tested.targets, contents.tested.scores[:, 0]
    rows = np.random.default_rng(0).permutation(len(true))[:SCATTERED]
    first, last = float(min(true.min(), predicted.min())), float(max(true.max(), predicted.max()))
    low, high = rounded(first, last, (-np.inf, np.inf))
    name = contents.images.classes[0]
    chart = Chart.of((low, high), (low, high))
    chart.y_axis(f"predicted {name}")
    chart.x_axis(f"true {name}", [(value, f"{value:g}") for value in ticks(low, high)])
    chart.line([(low, low), (high, high)], "of-other")
    for row in rows.tolist():
        tip = f"true {true[row]:.4g}, predicted {predicted[row]:.4g}"
        chart.mark(float(true[row]), float(predicted[row]), "of-test dot", tip)
    some = f"{len(rows):,} of {len(true):,} test images. " if len(rows) < len(true) else ""
    return figure(
        "Predicted and true numbers", chart.svg("predicted against true"), f"{some}On the line they are equal."
    )
