"""The top of the page of an inspection: how many of what were found, the metric without them, and what to do next."""

from collections.abc import Iterator
from html import escape

from offshelf.inspection.odd import KINDS
from offshelf.metric import Interval
from offshelf.report.findings import found_line
from offshelf.report.html.document import command_list
from offshelf.report.html.inspection.contents import InspectionContents
from offshelf.report.inspection_lines import Found, found


def summary(contents: InspectionContents) -> str:
    """Return the summary."""
    facts = "".join(f"<div><dt>{escape(name)}</dt><dd>{words}</dd></div>" for name, words in _facts(contents) if words)
    warnings = "".join(f"<li>{escape(line)}</li>" for line in contents.notes if line)
    listed = f'<ul class="warnings" aria-label="warnings">{warnings}</ul>' if warnings else ""
    top = f'<div class="hero">{_counts(contents)}</div><dl class="facts">{facts}</dl>'
    return f'<div class="answer">{top}</div>{listed}{command_list(contents.commands)}'


def _counts(contents: InspectionContents) -> str:
    counts = found(contents.inspection)
    items = "".join(_count(one) for one in counts)
    return f'<p class="what">to look at</p><ul class="others counts">{items}</ul>'


def _count(one: Found) -> str:
    number = f"<b>{one.count:,}</b>"
    name = f'<a href="#{one.section}">{escape(one.what)}</a>' if one.count else f"<span>{escape(one.what)}</span>"
    return f"<li>{name}{number}</li>"


def _facts(contents: InspectionContents) -> Iterator[tuple[str, str]]:
    inspection = contents.inspection
    yield "Data", escape(found_line(inspection.images))
    yield "Features", escape(contents.about)
    yield "Accuracy", _metric(contents)
    pixels = ", ".join(f"{count:,} {KINDS[kind]}" for kind, count in inspection.odd.prevalent.items())
    yield "Usual here", f"{pixels}: more than half of the images, and so nothing odd." if pixels else ""
    reasons = dict.fromkeys(one.why for one in contents.left_out)
    yield "Left out", escape(f"{len(contents.left_out):,}: {'; '.join(list(reasons)[:3])}") if reasons else ""


def _metric(contents: InspectionContents) -> str:
    metric, metrics = contents.metric, contents.metrics
    if f"test/{metric}" not in metrics:
        return ""
    interval = Interval.logged(metrics, metric)
    said = f"<b>{metrics[f'test/{metric}']:.4f}</b> {escape(metric.replace('_', ' '))} on the test images"
    said += f" ({interval.low:.4f} to {interval.high:.4f})" if interval else ""
    key = f"test_without_leaks/{metric}"
    if key in metrics:
        said += f", <b>{metrics[key]:.4f}</b> without those that are known from training"
    return f"{said}."
