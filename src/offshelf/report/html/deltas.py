"""Lists of differences: numbers of both runs, a bar around zero, and the difference with its interval."""

from collections.abc import Iterable, Sequence
from html import escape

import numpy as np

from offshelf.metric import Difference


def signed(value: float) -> str:
    """Return a difference with its sign."""
    return f"{value:+.4f}".replace("-", "−")


def p_value(difference: Difference) -> str:
    """Return the p-value, as HTML."""
    return f"{difference.p_value:.3f}" if difference.p_value >= 0.001 else "&lt; 0.001"


def interval(difference: Difference) -> str:
    """Return the ends of the interval."""
    return f"{signed(difference.interval.low)} to {signed(difference.interval.high)}"


def widest(differences: Iterable[Difference]) -> float:
    """Return the largest end of an interval without its sign, which all bars of a list are relative to."""
    return max((max(abs(one.interval.low), abs(one.interval.high)) for one in differences), default=0) or 1.0


def cells(values: Sequence[float], digits: int) -> str:
    """Return the numbers of both runs; NaN where one has none."""
    shown = ("–" if np.isnan(value) else f"{value:.{digits}f}" for value in values)
    return "".join(f'<span class="number">{one}</span>' for one in shown)


def bar(difference: Difference | None, end: float, is_loss: bool) -> str:
    """Return a bar around zero with a whisker, coloured by whether the second run is the better one."""
    if difference is None:
        return "<svg></svg>"
    low, middle, high = (
        50 + 48 * value / end for value in (difference.interval.low, difference.value, difference.interval.high)
    )
    kind = "good" if (difference.value > 0) != is_loss else "bad"
    return (
        '<svg viewBox="0 0 100 14" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="{kind}" x="{min(50, middle):.2f}" width="{abs(middle - 50):.2f}" height="14"/>'
        f'<path class="zero" d="M50 0v14"/><path d="M{low:.2f} 7H{high:.2f}M{low:.2f} 4v6M{high:.2f} 4v6"/></svg>'
    )


def number(difference: Difference | None) -> str:
    """Return the difference with its interval."""
    if difference is None:
        return '<span class="number">–</span>'
    ends = interval(difference)
    return f'<span class="number" title="{ends}">{signed(difference.value)} <small>[{ends}]</small></span>'


def head(*names: str) -> str:
    """Return the names of the columns."""
    return f'<li class="head">{"".join(f"<span>{escape(name)}</span>" for name in names)}</li>'
