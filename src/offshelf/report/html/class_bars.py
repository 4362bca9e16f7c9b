"""Numbers of each class with their intervals, as bars from the worst class to the best."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from offshelf.metric import METRICS, Interval
from offshelf.report.html.contents import Contents

MOST = 1000
"""Number of classes that are shown."""
FEW = 30
"""Number of classes from which on the list scrolls and can be searched."""


@dataclass(frozen=True)
class ClassBar:
    """The number of one class."""

    number: int
    name: str
    images: int
    value: float
    """NaN without test images."""
    interval: Interval | None


def wilson(share_K: np.ndarray, counts_K: np.ndarray, level: float) -> list[Interval | None]:
    """Return Wilson's score intervals of shares of some counts; None where there are none.

    Wilson, Journal of the American Statistical Association 22 (1927). Unlike a bootstrap it has a width where all, or
    none, of a few images are right.
    """
    from scipy.special import ndtri

    z = float(ndtri((1 + level) / 2))
    found: list[Interval | None] = []
    for share, count in zip(share_K, counts_K, strict=True):
        if not count:
            found.append(None)
            continue
        middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
        half = z / (1 + z**2 / count) * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
        found.append(Interval(float(middle - half), float(middle + half)))
    return found


def bars_of(contents: Contents) -> tuple[str, list[ClassBar]]:
    """Return the name of the number, and the bars from the worst to the best; none where labels are numbers."""
    chosen = contents.chosen
    if chosen.kind == "number":
        return "", []
    counts = np.sum([outcome.counts() for outcome in chosen.outcomes], axis=0)
    if chosen.kind == "class":
        name, intervals = "accuracy", wilson(chosen.by_class["accuracy"], counts, chosen.bootstrap.level)
    else:
        name = str(METRICS[chosen.metric].by_class)
        intervals = chosen.bootstrap.class_intervals(chosen.metric, chosen.outcomes, chosen.tests)
    values = chosen.by_class[name]
    bars = [
        ClassBar(number, contents.images.classes[number], int(counts[number]), float(values[number]), intervals[number])
        for number in np.lexsort((-counts, np.nan_to_num(values, nan=np.inf))).tolist()
    ]
    return name, bars


def class_bars(contents: Contents, most: int = MOST) -> str:
    """Return the list of classes, at most so many."""
    name, bars = bars_of(contents)
    if not bars:
        return ""
    shown, level = bars[:most], contents.chosen.bootstrap.level
    many = len(shown) > FEW
    search = (
        '<label class="control">Find <input id="class-search" type="search" placeholder="name of a class" '
        'autocomplete="off"></label>'
        if many
        else ""
    )
    sort = (
        '<label class="control">Sort <select id="class-sort"><option value="value">worst first</option>'
        '<option value="best">best first</option><option value="images">fewest test images first</option>'
        '<option value="number">order of the data set</option></select></label>'
    )
    rows = "".join(_row(bar) for bar in shown)
    number = escape(name.replace("_", " "))
    head = f'<li class="head"><span>class</span><span></span><span>{number}</span><span>images</span></li>'
    rest = f" The worst {most:,} of {len(bars):,}; per_class.csv has all." if len(bars) > most else ""
    what = f"{name.replace('_', ' ')} of each class on the test images, with its {level:.0%} interval."
    note = f'<p class="note">{escape(what[0].upper() + what[1:])}{rest} A click shows its pictures.</p>'
    return (
        f'<div class="controls">{search}{sort}</div>'
        f'<ul id="classes" class="classes{" many" if many else ""}" tabindex="-1">{head}{rows}</ul>{note}'
    )


def _row(bar: ClassBar) -> str:
    known = not np.isnan(bar.value)
    name, value = escape(bar.name, quote=True), f"{bar.value:.3f}" if known else "–"
    interval = f" [{bar.interval.low:.3f}, {bar.interval.high:.3f}]" if bar.interval else ""
    return (
        f'<li data-class="{bar.number}" data-value="{bar.value if known else 2:.6g}" data-images="{bar.images}">'
        f'<button type="button" class="name" title="{name}"><bdi>{name}</bdi></button>'
        f"{_bar(bar) if known else '<svg></svg>'}"
        f'<span class="number" title="{value}{interval}">{value}</span><span class="number">{bar.images:,}</span></li>'
    )


def _bar(bar: ClassBar) -> str:
    whisker = ""
    if bar.interval:
        low, high = (100 * min(max(end, 0.0), 1.0) for end in (bar.interval.low, bar.interval.high))
        whisker = f'<path d="M{low:.4g} 7H{high:.4g}M{low:.4g} 4v6M{high:.4g} 4v6"/>'
    return (
        '<svg viewBox="0 0 100 14" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect width="{100 * max(bar.value, 0):.4g}" height="14"/>{whisker}</svg>'
    )


def few_images(contents: Contents, least: int = 5) -> str:
    """Return a warning about classes with few training images in a fold; empty if there are none."""
    images = contents.images
    if images.kind == "number" or images.sizes:
        return ""
    fewest = np.min([images.counts(fold.train) for fold in images.folds], axis=0)
    names = [images.classes[number] for number in np.flatnonzero(fewest < least)]
    return f"Fewer than {least} training images: {_some(names)}." if names else ""


def untested(contents: Contents) -> str:
    """Return a warning about classes without test images; empty if there are none."""
    if contents.images.kind == "number":
        return ""
    counts = np.sum([outcome.counts() for outcome in contents.chosen.outcomes], axis=0)
    names = [contents.images.classes[number] for number in np.flatnonzero(counts == 0)]
    return f"No test image: {_some(names)}." if names else ""


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 5:,} more" if len(names) > 5 else ""
    return f"{len(names):,} class{'es' if len(names) > 1 else ''} ({', '.join(names[:5])}{more})"
