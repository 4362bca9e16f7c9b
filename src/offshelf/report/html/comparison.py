"""The page of two runs side by side: what changed from the first to the second."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from offshelf.metric import Difference, Interval, is_loss
from offshelf.names import readable
from offshelf.report.html import deltas
from offshelf.report.html.changes import BOTH, GAINED, LOST, NEITHER, Changes
from offshelf.report.html.document import Document, Section
from offshelf.report.html.gallery import tiles_data
from offshelf.report.html.kept import KeptPictures
from offshelf.report.html.tiles import Tiles

LIMIT = 5e6
"""Largest number of bytes of the page."""
MARGIN = 1000
"""Bytes that are kept free for what changes with the pictures."""
SCRIPT = ("data.js", "compare.js", "ready.js")
MOST_CLASSES = 1000
"""Number of classes that are listed."""
MANY = 30
"""Number of classes from which on the list scrolls."""
WORDS = {GAINED: "A wrong, B right", LOST: "A right, B wrong", NEITHER: "both wrong"}
WORDS_OF_NUMBERS = {GAINED: "closer in B", LOST: "farther in B"}


@dataclass(frozen=True)
class Side:
    """One of the two runs."""

    name: str
    id: str
    """Identifier in the tracker; empty without one."""
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class ClassChange:
    """The numbers of one class, or label, in both runs."""

    number: int
    name: str
    images: int
    values: tuple[float, float]
    """NaN without test images."""
    difference: Difference | None
    """Second minus first."""


@dataclass(frozen=True, eq=False)
class Comparison:
    """Everything that the page shows."""

    first: Side
    second: Side
    metric: str
    """The official one."""
    differences: Mapping[str, Difference]
    """Second minus first, by the names of the metrics that can be paired."""
    level: float
    """Of the intervals."""
    parameters: Sequence[tuple[str, str, str]] = ()
    """Name, and values of both runs, where these differ."""
    changes: Changes | None = None
    """None where the tests cannot be paired."""
    class_metric: str = ""
    class_changes: Sequence[ClassChange] = ()
    pictures: Sequence[KeptPictures] = ()
    remarks: Sequence[str] = ()
    """Sentences: what cannot be compared, and why."""


def comparison_page(one: Comparison, limit: float = LIMIT) -> str:
    """Return the page, of at most `limit` bytes: pictures of what B gained come first, then of what it lost."""
    changes = one.changes
    data = changes.data() if changes else {"kind": "none", "classes": [], "ids": None, "items": None, "counts": []}
    sections = [
        Section("answer", "Answer", "What changed", _answer(one)),
        Section("metrics", "Metrics", "Metrics", _metrics(one)),
        Section("classes-section", "Classes", "Classes", _classes(one)),
        Section("pictures", "Pictures", "Pictures", _pictures(changes) if changes else ""),
    ]
    title = readable(f"{one.first.name} → {one.second.name}")
    bare = Document("two runs compared", title, sections, data, SCRIPT)
    shown = [readable(changes.ids[point]) for point in changes.shown.tolist()] if changes else []
    every = range(len(shown))
    left = limit - bare.size(tiles_data(Tiles(), every, len(shown))) - MARGIN
    tiles = Tiles.of_pictures([_picture(one.pictures, id) for id in shown], max(left, 0))
    return bare.html(tiles_data(tiles, every, len(shown)))


def _picture(kept: Sequence[KeptPictures], id: str) -> np.ndarray | None:
    """Return the picture of an image in the first page that has one."""
    return next((found for one in kept if (found := one.picture(id)) is not None), None)


def _answer(one: Comparison) -> str:
    sides = "".join(_side(one, side, letter) for side, letter in ((one.first, "A"), (one.second, "B")))
    differing = "".join(
        f"<div><dt>{escape(name)}</dt><dd><bdi>{escape(then)}</bdi> "
        f'<span class="arrow">→</span> <bdi>{escape(now)}</bdi></dd></div>'
        for name, then, now in one.parameters
    )
    remarks = "".join(f"<li>{escape(line)}</li>" for line in one.remarks)
    return (
        f'<p class="verdict">{_verdict(one)}</p><div class="sides">{sides}</div>'
        + (f'<dl class="facts wide">{differing}</dl>' if differing else "")
        + (f'<ul class="warnings" aria-label="warnings">{remarks}</ul>' if remarks else "")
    )


def _side(one: Comparison, side: Side, letter: str) -> str:
    interval = Interval.logged(side.metrics, one.metric)
    ends = f"{one.level:.0%} interval {interval.low:.4f} to {interval.high:.4f}" if interval else ""
    name, number = escape(readable(side.name)), f" <code>{escape(side.id[:8])}</code>" if side.id else ""
    return (
        f'<div class="hero"><p class="what"><b class="letter">{letter}</b> <bdi>{name}</bdi>{number}</p>'
        f'<p class="value">{side.metrics[f"test/{one.metric}"]:.4f}</p><p class="interval">{ends}</p></div>'
    )


def _verdict(one: Comparison) -> str:
    words, difference = escape(_words(one.metric)), one.differences.get(one.metric)
    if difference is None:
        gap = one.second.metrics[f"test/{one.metric}"] - one.first.metrics[f"test/{one.metric}"]
        beside = f"The {words} of B is {_beside(gap)} A's."
        beside = beside if f"{abs(gap):.4f}" != "0.0000" else f"The {words} of A and B is equal to four digits."
        return f"{beside} How sure that is cannot be told: see below."
    ends = f"{one.level:.0%} interval {deltas.interval(difference)}, p {deltas.p_value(difference)}"
    if difference.interval.low <= 0 <= difference.interval.high:
        return f"The {words} of A and B cannot be told apart: B − A is {deltas.signed(difference.value)} ({ends})."
    better = "better" if (difference.value > 0) != is_loss(one.metric) else "worse"
    return f"<b>B is {better}</b>: its {words} is {_beside(difference.value)} A's ({ends})."


def _beside(gap: float) -> str:
    return f"{abs(gap):.4f} {'above' if gap >= 0 else 'below'}"


def _metrics(one: Comparison) -> str:
    names = [one.metric, *(name for name in _common(one) if name != one.metric)]
    end = deltas.widest(one.differences.values())
    rows = "".join(_metric_row(one, name, end) for name in names)
    note = (
        f"B − A with its {one.level:.0%} interval, by the bootstrap on the same draws of the same tests. p: two-sided, "
        "of no difference, not corrected for the number of metrics."
    )
    head = deltas.head("metric", "A", "B", "", "B − A", "p")
    return f'<ul class="deltas">{head}{rows}</ul><p class="note">{note}</p>'


def _common(one: Comparison) -> list[str]:
    """Return the metrics that both runs have and that are paired or have intervals: not those of other layers."""
    names = [name.removeprefix("test/") for name in one.first.metrics if name in one.second.metrics]
    return [name for name in names if name in one.differences or f"{name}_low" in names]


def _metric_row(one: Comparison, name: str, end: float) -> str:
    values = [side.metrics.get(f"test/{name}", np.nan) for side in (one.first, one.second)]
    difference = one.differences.get(name)
    bar, number = deltas.bar(difference, end, is_loss(name)), deltas.number(difference)
    p_value = deltas.p_value(difference) if difference else ""
    return (
        f"<li><span>{escape(_words(name))}</span>{deltas.cells(values, 4)}{bar}{number}"
        f'<span class="number">{p_value}</span></li>'
    )


def _classes(one: Comparison) -> str:
    if not one.class_changes:
        return ""
    known = [each for each in one.class_changes if each.difference]
    ordered = sorted(one.class_changes, key=lambda each: -abs(each.difference.value) if each.difference else 1)
    end, loss = deltas.widest(each.difference for each in known if each.difference), is_loss(one.class_metric)
    rows = "".join(_class_row(each, end, loss) for each in ordered[:MOST_CLASSES])
    metric = escape(_words(one.class_metric))
    rest = f" The {MOST_CLASSES:,} that changed most of {len(ordered):,}." if len(ordered) > MOST_CLASSES else ""
    note = (
        f"The {metric} of each class, and its difference with the {one.level:.0%} interval of the paired bootstrap, "
        f"not corrected for the number of classes.{rest} A click shows the pictures of a class."
    )
    many = len(ordered) > MANY
    head = deltas.head("class", "A", "B", "", "B − A", "images")
    return (
        f'<div class="controls">{SEARCH if many else ""}{SORT}</div>'
        f'<ul id="classes" class="deltas{" many" if many else ""}">{head}{rows}</ul><p class="note">{note}</p>'
    )


SEARCH = (
    '<label class="control">Find <input id="class-search" type="search" placeholder="name of a class" '
    'autocomplete="off"></label>'
)
SORT = (
    '<label class="control">Sort <select id="class-sort"><option value="change">largest change first</option>'
    '<option value="gained">gained first</option><option value="lost">lost first</option>'
    '<option value="number">order of the names</option></select></label>'
)


def _class_row(each: ClassChange, end: float, loss: bool) -> str:
    name, value = escape(readable(each.name), quote=True), each.difference.value if each.difference else 0.0
    bar, number = deltas.bar(each.difference, end, loss), deltas.number(each.difference)
    return (
        f'<li data-class="{each.number}" data-change="{value:.6g}">'
        f'<button type="button" class="name" title="{name}"><bdi>{name}</bdi></button>'
        f'{deltas.cells(each.values, 3)}{bar}{number}<span class="number">{each.images:,}</span></li>'
    )


def _pictures(changes: Changes) -> str:
    of_numbers = changes.kind == "number"
    words_of = WORDS_OF_NUMBERS if of_numbers else WORDS
    first = next((group for group in words_of if changes.counts[group]), GAINED)
    tabs = "".join(
        f'<button type="button" class="button tab" data-group="{group}" '
        f'aria-pressed="{"true" if group == first else "false"}">{words} <b>{changes.counts[group]:,}</b></button>'
        for group, words in words_of.items()
    )
    rest = f'<span class="control">{"as far" if of_numbers else "both right"}: {changes.counts[BOTH]:,}</span>'
    which = '<label class="control">class <select id="label"><option value="">any</option></select></label>'
    return (
        f'<div class="controls" role="group" aria-label="what changed">{tabs}{rest}{"" if of_numbers else which}</div>'
        '<p class="lead" id="count" aria-live="polite" tabindex="-1"></p><div id="cards" class="cards"></div>'
        '<button type="button" id="more" class="button">Show more</button>'
        "<noscript>The pictures need this file's script.</noscript>"
    )


def _words(name: str) -> str:
    return name.replace("_", " ")
