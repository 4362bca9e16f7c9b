"""The top of the page: the number, how sure it and the choices are, what they cost, and what to beware of."""

from collections.abc import Iterator, Sequence
from html import escape

import numpy as np

from offshelf.dataset import LeftOut
from offshelf.evaluation.score import Score
from offshelf.metric import METRICS, Interval
from offshelf.report.findings import found_line, remarks
from offshelf.report.html.class_bars import few_images, untested
from offshelf.report.html.contents import Contents
from offshelf.report.html.curves import equals
from offshelf.report.html.document import command_list

LARGEST_GAP = 1e-2
"""Relative duality gap from which on it is a warning."""


def answer(contents: Contents) -> str:
    """Return the answer."""
    top = f'<div class="hero">{_number(contents)}</div><dl class="facts">{_facts(contents)}</dl>'
    return f'<div class="answer">{top}</div>{warnings(contents)}{command_list(contents.commands)}'


def _number(contents: Contents) -> str:
    metric, metrics = contents.chosen.metric, contents.metrics
    value, interval = metrics[f"test/{metric}"], Interval.logged(metrics, metric)
    tested, level = len(contents.tested.rows), contents.chosen.bootstrap.level
    name = metric.replace("_", " ")
    said = f'<p class="what">{escape(name)} on {tested:,} test images</p><p class="value">{value:.4f}</p>'
    if interval:
        said += f'<p class="interval">{level:.0%} interval {interval.low:.4f} to {interval.high:.4f}</p>'
    others = "".join(f"<li><span>{words}</span><b>{number:.4f}</b></li>" for words, number in _others(contents))
    return f'{said}{_gauge(contents, value, interval)}<ul class="others">{others}</ul>'


def _others(contents: Contents) -> Iterator[tuple[str, float]]:
    """Yield what the number can be compared with."""
    chosen, metrics = contents.chosen, contents.metrics
    if f"cv/{chosen.metric}" in metrics:
        yield "cross-validated on training images", metrics[f"cv/{chosen.metric}"]
    for score in contents.baselines:
        yield f"baseline <bdi>{escape(score.name)}</bdi>", score.metrics[f"test/{chosen.metric}"]
    chance = chance_level(contents)
    if chance is not None:
        yield "chance", chance
    for name, metric in METRICS.items():
        if metric.kind == chosen.kind and name != chosen.metric and f"test/{name}" in metrics and "AP" not in name:
            yield escape(name.replace("_", " ")), metrics[f"test/{name}"]


def chance_level(contents: Contents) -> float | None:
    """Return the metric of a constant answer: the most frequent class; None for other labels than classes."""
    if contents.chosen.kind != "class":
        return None
    counts = np.sum([outcome.counts() for outcome in contents.chosen.outcomes], axis=0)
    if contents.chosen.metric == "mean_class_accuracy":
        return 1 / int((counts > 0).sum())
    return float(counts.max() / counts.sum())


def _gauge(contents: Contents, value: float, interval: Interval | None) -> str:
    """Return a bar from 0 to 1 with the interval, chance and the baseline; nothing for metrics without these ends."""
    if contents.chosen.kind == "number":
        return ""
    ends = ""
    if interval:
        low, width = 100 * interval.low, 200 * interval.half
        ends = f'<rect class="range" x="{low:.3f}" y="1" width="{width:.3f}" height="12"/>'
    marks = [("chance", chance_level(contents))]
    marks += [("baseline", score.metrics[f"test/{contents.chosen.metric}"]) for score in contents.baselines]
    marks.append(("value", value))
    lines = "".join(f'<path class="{kind}" d="M{100 * at:.3f} 0v14"/>' for kind, at in marks if at is not None)
    return (
        '<svg class="gauge" viewBox="0 0 100 14" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="whole" width="100" height="14"/>{ends}{lines}</svg>'
    )


def _facts(contents: Contents) -> str:
    facts = {
        "Layer": _layer(contents),
        contents.chosen.parameter: _value(contents.chosen),
        "Features": _features(contents),
        "Fit": _fit(contents),
        "Data": escape(found_line(contents.images)),
        "Left out": escape(_left_out(contents.left_out)),
    }
    return "".join(f"<div><dt>{escape(name)}</dt><dd>{words}</dd></div>" for name, words in facts.items() if words)


def _layer(contents: Contents) -> str:
    chosen = contents.chosen
    said = f"<b><bdi>{escape(chosen.name)}</bdi></b> of {escape(contents.network)}, {chosen.dims:,} dimensions"
    return f"{said}. {escape(layer_choice(contents.scores, chosen))}"


def layer_choice(scores: Sequence[Score], chosen: Score) -> str:
    """Say how sure the choice of the layer is: which others are within one standard error of it by cross-validation."""
    if len(scores) == 1:
        return "No other layer was tried."
    name = f"cv/{chosen.metric}"
    if not all(name in score.metrics for score in scores):
        return f"The last of {len(scores)} layers: none was cross-validated."
    folds = sum(len(fit.held_out) for fit in chosen.fits if fit.held_out is not None)
    slack = chosen.metrics[f"{name}_std"] / np.sqrt(max(folds - 1, 1))
    lead = chosen.metrics[name] - slack
    near = [score.name for score in scores if score is not chosen and score.metrics[name] >= lead]
    if not near:
        return f"Best of {len(scores)} by cross-validation; no other is within one standard error."
    others = ", ".join(near[:4]) + (f" and {len(near) - 4} more" if len(near) > 4 else "")
    return f"Best of {len(scores)} by cross-validation, but within one standard error: {others}."


def _value(chosen: Score) -> str:
    values = sorted({fit.value for fit in chosen.fits})
    said = f"<b>{'–'.join(f'{value:g}' for value in dict.fromkeys((values[0], values[-1])))}</b>"
    if chosen.curve is None:
        return f"{said}, as given."
    return f"{said}, chosen among {len(chosen.curve.values)} values by cross-validation. {escape(equals(chosen.curve))}"


def _features(contents: Contents) -> str:
    metrics = contents.metrics
    if not contents.has_pictures:
        return "Given."
    images = int(metrics.get("cost/images_extracted", 0))
    if not images:
        return "All were in the store."
    rate = metrics.get("cost/images_per_second")
    speed = f", {rate:.0f} per second" if rate else ""
    return f"{images:,} images through the network in {metrics['cost/extract_seconds']:.1f} s{speed}."


def _fit(contents: Contents) -> str:
    metrics, methods = contents.metrics, contents.chosen.svm_method
    said = f"{metrics['cost/fit_seconds']:.1f} s"
    if "fit/problems" in metrics:
        said += f", {metrics['fit/problems']:,.0f} binary problems"
    if "fit/dual_gap" in metrics:
        said += f", relative duality gap at most {metrics['fit/dual_gap']:.0e}"
    return f"{said}, by the method {escape(methods)}." if methods else f"{said}."


def _left_out(left_out: Sequence[LeftOut]) -> str:
    reasons = dict.fromkeys(one.why for one in left_out)
    return f"{len(left_out):,} images that cannot be used: {'; '.join(list(reasons)[:3])}" if left_out else ""


def warnings(contents: Contents) -> str:
    """Return what to beware of, as a list; empty if there is nothing."""
    found = [line for text in _warnings(contents) for line in text.splitlines() if line]
    items = "".join(f"<li>{escape(line.removeprefix('Warning: '))}</li>" for line in found)
    return f'<ul class="warnings" aria-label="warnings">{items}</ul>' if found else ""


def _warnings(contents: Contents) -> Iterator[str]:
    metrics = contents.metrics
    yield from remarks(contents.scores, contents.chosen, contents.images, contents.left_out, contents.curves)
    yield few_images(contents)
    yield untested(contents)
    if "fit/unconverged" in metrics:
        yield f"{metrics['fit/unconverged']:.0f} fits stopped before their optimum."
    if metrics.get("fit/dual_gap", 0) > LARGEST_GAP:
        yield f"The relative duality gap is {metrics['fit/dual_gap']:.0e}: the classifier is not at its optimum."
    chance, metric = chance_level(contents), contents.chosen.metric
    if chance is not None and metrics.get(f"test/{metric}_low", metrics[f"test/{metric}"]) <= chance:
        yield "The interval holds chance: these features do not tell the classes apart."
