"""Curves of the choices that a run made: by layer, by the hyperparameter, by the number of training images."""

from collections.abc import Sequence
from html import escape

import numpy as np

from offshelf.classifier import Curve
from offshelf.evaluation.learning_curve import LearningCurves
from offshelf.evaluation.score import Score
from offshelf.report.html.chart import BOTTOM, LEFT, WIDTH, Chart, decades, figure, spanned
from offshelf.report.html.contents import Contents

COLUMN = 30
"""Least pixels of a layer."""
STRAIGHT = 56
"""Letters below a chart from which on the names of layers are turned."""
WIDE = 12
"""Number of layers from which on their chart takes a row of its own."""


def curves(contents: Contents) -> str:
    """Return the charts of all choices that there were."""
    charts = [by_layer(contents) if len(contents.scores) > 1 else "", by_value(contents), by_size(contents.curves)]
    return "".join(charts)


def by_layer(contents: Contents) -> str:
    """Return the metric on the test images by layer, and the one by cross-validation that chose the layer."""
    scores, metric = contents.scores, contents.chosen.metric
    tested = [_tested(score) for score in scores]
    held_out = [_held_out(score) for score in scores]
    baselines = [score.metrics[f"test/{metric}"] for score in contents.baselines]
    known = [*tested, *filter(None, held_out)]
    turned = len(scores) * max(len(score.name) + 2 for score in scores) > STRAIGHT
    chart = Chart.of(
        (-0.5, len(scores) - 0.5),
        spanned([value for value, _, _ in known] + baselines, [end for _, *ends in known for end in ends]),
        width=max(WIDTH, LEFT + COLUMN * len(scores)),
        bottom=_room(scores) if turned else BOTTOM,
    )
    chart.y_axis(metric.replace("_", " "))
    chart.x_axis(
        "layer, from input to output", [(place, _short(score.name)) for place, score in enumerate(scores)], turned
    )
    for level in baselines:
        chart.line([(-0.5, level), (len(scores) - 0.5, level)], "of-baseline")
    if all(held_out):
        cv = [one for one in held_out if one]
        chart.band(
            [(x, low) for x, (_, low, _) in enumerate(cv)], [(x, high) for x, (_, _, high) in enumerate(cv)], "of-cv"
        )
        chart.line([(x, value) for x, (value, _, _) in enumerate(cv)], "of-cv")
        for x, (value, low, high) in enumerate(cv):
            chart.mark(x, value, "of-cv", f"{scores[x].name}: cross-validated {value:.4f} ({low:.4f} to {high:.4f})")
    chart.line([(x, value) for x, (value, _, _) in enumerate(tested)], "of-test")
    for x, (value, low, high) in enumerate(tested):
        chart.whisker(x, low, high, "of-test")
        star = " chosen" if scores[x] is contents.chosen else ""
        chart.mark(x, value, f"of-test{star}", f"{scores[x].name}: test {value:.4f} ({low:.4f} to {high:.4f})")
    keys = [("of-test", "test images, with interval")]
    keys += [("of-cv", "cross-validated, ± deviation over folds")] if all(held_out) else []
    keys += [("line of-baseline", f"baseline {score.name}") for score in contents.baselines]
    caption = f"Reported: <b><bdi>{escape(contents.chosen.name)}</bdi></b>, ringed, chosen on training images alone."
    wide = "wide" if len(scores) > WIDE else ""
    return figure("Layers", chart.svg(f"{metric} by layer", wide), caption, keys)


def by_value(contents: Contents) -> str:
    """Return the cross-validated metric by the hyperparameter: of the chosen layer with a band, of others thin."""
    chosen = contents.chosen
    curve = chosen.curve
    if curve is None or len(curve.values) < 2:
        return ""
    others = [score.curve for score in contents.scores if score is not chosen and score.curve]
    points = np.concatenate([one.mean for one in (curve, *others)]).tolist()
    bars = [float((curve.mean - curve.std).min()), float((curve.mean + curve.std).max())]
    low, high = min(curve.values), max(curve.values)
    is_log = low > 0
    chart = Chart.of((low, high), spanned(points, bars), is_log=is_log)
    chart.y_axis(f"cross-validated {chosen.metric.replace('_', ' ')}")
    chart.x_axis(chosen.parameter, decades(low, high) if is_log else [(value, f"{value:g}") for value in (low, high)])
    for one in others:
        chart.line(_sorted(one.values, one.mean), "of-other")
    chart.band(_sorted(curve.values, curve.mean - curve.std), _sorted(curve.values, curve.mean + curve.std), "of-cv")
    chart.line(_sorted(curve.values, curve.mean), "of-cv")
    taken = {fit.value for fit in chosen.fits}
    for value, mean, std in zip(curve.values, curve.mean, curve.std, strict=True):
        star = " chosen" if value in taken else ""
        chart.mark(value, mean, f"of-cv{star}", f"{curve.parameter} = {value:g}: {mean:.4f} ± {std:.4f}")
    keys = [("of-cv", f"{chosen.name}, ± deviation over folds")] + (
        [("line of-other", "other layers")] if others else []
    )
    caption = f"Chosen: <b>{curve.parameter} = {_listed(sorted(taken))}</b>, ringed. {equals(curve)}"
    return figure(f"The choice of {curve.parameter}", chart.svg(f"metric by {curve.parameter}"), caption, keys)


def equals(curve: Curve) -> str:
    """Say which values do as well as the best: those within one standard error of it, see `Curve.simplest`."""
    top = int(curve.mean.argmax())
    folds = curve.scores.shape[1]
    if folds < 2:
        return ""
    slack = curve.std[top] / np.sqrt(folds - 1)
    near = [value for value, mean in zip(curve.values, curve.mean, strict=True) if mean >= curve.mean[top] - slack]
    if len(near) == 1:
        return "No other value is within one standard error of it."
    return f"{len(near)} values are within one standard error of the best: {_listed(sorted(near))}."


def by_size(curves: LearningCurves | None) -> str:
    """Return the metric on the test images by the number of training images, with the fitted power law."""
    if curves is None or not curves.has_several:
        return ""
    curve = curves.chosen
    points = curve.points
    sizes = curve.sizes.tolist()
    spread = [point.deviation or 0.0 for point in points]
    values = [point.value for point in points]
    further = [(one, points[-1].size.images * one.value / points[-1].size.value) for one in curve.extrapolations]
    bars = [value + sign * each for value, each in zip(values, spread, strict=True) for sign in (-1, 1)]
    bars += [end for one, _ in further for end in (one.interval.low, one.interval.high)]
    low, high = min(sizes), max([*sizes, *(size for _, size in further)])
    chart = Chart.of((low, high * 1.02), spanned([*values, *(one.predicted for one, _ in further)], bars), is_log=True)
    chart.y_axis(points[0].metric.replace("_", " "))
    chart.x_axis("training images", [(size, f"{size:,.0f}") for size in sizes])
    chart.line(list(zip(sizes, values, strict=True)), "of-test")
    chart.line([(sizes[-1], values[-1]), *((size, one.predicted) for one, size in further)], "of-other")
    for size, value, each, point in zip(sizes, values, spread, points, strict=True):
        chart.whisker(size, value - each, value + each, "of-test")
        chart.mark(size, value, "of-test", f"{point.size.name}: {value:.4f} ± {each:.4f}")
    for one, size in further:
        chart.whisker(size, one.interval.low, one.interval.high, "of-other")
        chart.mark(size, one.predicted, "of-other", f"{one.name}, extrapolated: {one.predicted:.4f}")
    keys = [("of-test", "test images, ± deviation over draws")]
    keys += [("of-other", "extrapolated by a power law")] if further else []
    return figure("Training images", chart.svg("metric by training images"), escape(curve.refusal), keys)


def _tested(score: Score) -> tuple[float, float, float]:
    """Return the test metric of a layer with the ends of its interval."""
    name = f"test/{score.metric}"
    value = score.metrics[name]
    return value, score.metrics.get(f"{name}_low", value), score.metrics.get(f"{name}_high", value)


def _held_out(score: Score) -> tuple[float, float, float] | None:
    """Return the cross-validated metric of a layer, minus and plus its deviation over the folds."""
    name = f"cv/{score.metric}"
    if name not in score.metrics:
        return None
    value, spread = score.metrics[name], score.metrics[f"{name}_std"]
    return value, value - spread, value + spread


def _sorted(values: Sequence[float], heights: np.ndarray) -> list[tuple[float, float]]:
    return sorted(zip(values, heights.tolist(), strict=True))


def _listed(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def _room(scores: Sequence[Score]) -> float:
    """Return the pixels below a chart that turned names of layers take."""
    return 50 + 4.5 * max(len(_short(score.name)) for score in scores)


def _short(name: str) -> str:
    return name if len(name) <= 22 else f"{name[:21]}…"
