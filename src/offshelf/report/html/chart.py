"""Small charts as inline SVG: axes, lines, bands, bars and marks, coloured by classes of the style sheet."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

WIDTH, HEIGHT = 460, 290
LEFT, RIGHT, TOP, BOTTOM = 68, 12, 12, 44

Points = Sequence[tuple[float, float]]
Range = tuple[float, float]


@dataclass(frozen=True)
class Scale:
    """A linear or logarithmic scale from values to pixels."""

    low: float
    high: float
    start: float
    end: float
    is_log: bool = False

    def __call__(self, value: float) -> float:
        """Return the place of a value, in pixels."""
        to = math.log10 if self.is_log else float
        low, high = to(self.low), to(self.high)
        share = (to(value) - low) / (high - low) if high > low else 0.5
        return round(self.start + share * (self.end - self.start), 2)


@dataclass
class Chart:
    """A chart under construction: what is added later lies on top."""

    x: Scale
    y: Scale
    height: float = HEIGHT
    parts: list[str] = field(default_factory=list)

    @staticmethod
    def of(
        x: tuple[float, float],
        y: tuple[float, float],
        *,
        is_log: bool = False,
        width: float = WIDTH,
        bottom: float = BOTTOM,
    ) -> "Chart":
        """Return an empty chart of these ranges; `bottom` is the room below it for labels."""
        height = HEIGHT - BOTTOM + bottom
        return Chart(Scale(*x, LEFT, width - RIGHT, is_log), Scale(*y, height - bottom, TOP), height)

    def y_axis(self, title: str, is_count: bool = False) -> None:
        """Draw ticks and grid lines of y; those of counts are whole."""
        for value in ticks(self.y.low, self.y.high, is_count):
            place = self.y(value)
            self.parts.append(f'<path class="grid" d="M{self.x.start} {place}H{self.x.end}"/>')
            self.text(self.x.start - 10, place + 4, f"{value:.6g}", "tick end")
        middle = (self.y.start + self.y.end) / 2
        self.parts.append(
            f'<text class="title middle" transform="translate(13 {middle:.0f}) rotate(-90)">{escape(title)}</text>'
        )

    def x_axis(self, title: str, values: Sequence[tuple[float, str]], is_turned: bool = False) -> None:
        """Draw the axis of x with some labelled values."""
        for value, label in values:
            place, shown = self.x(value), escape(label)
            self.parts.append(f'<path class="axis" d="M{place} {self.y.start}v5"/>')
            if is_turned:
                at = f"translate({place + 4} {self.y.start + 16}) rotate(-40)"
                self.parts.append(f'<text class="tick end" transform="{at}">{shown}</text>')
            else:
                self.text(place, self.y.start + 19, label, "tick middle")
        self.parts.append(f'<path class="axis" d="M{self.x.start} {self.y.start}H{self.x.end}"/>')
        self.text((self.x.start + self.x.end) / 2, self.height - 6, title, "title middle")

    def text(self, x: float, y: float, words: str, kind: str) -> None:
        """Write words."""
        self.parts.append(f'<text class="{kind}" x="{x:g}" y="{y:g}">{escape(words)}</text>')

    def line(self, points: Points, kind: str) -> None:
        """Draw a line through points."""
        if len(points) > 1:
            self.parts.append(f'<path class="line {kind}" d="M{"L".join(self._places(points))}"/>')

    def band(self, lower: Points, upper: Points, kind: str) -> None:
        """Fill what is between two lines, cut off at the ends of y."""
        ends = [self._places(self._inside(points)) for points in (lower, upper[::-1])]
        self.parts.append(f'<path class="band {kind}" d="M{"L".join(ends[0] + ends[1])}Z"/>')

    def whisker(self, x: float, low: float, high: float, kind: str) -> None:
        """Draw an error bar."""
        (_, below), (_, above) = self._inside([(x, low), (x, high)])
        self.parts.append(f'<path class="whisker {kind}" d="M{self.x(x)} {self.y(below)}V{self.y(above)}"/>')

    def mark(self, x: float, y: float, kind: str, tip: str) -> None:
        """Draw a point, with a text that is shown when it is pointed at."""
        self.parts.append(
            f'<circle class="mark {kind}" cx="{self.x(x)}" cy="{self.y(y)}" r="4" data-tip="{escape(tip)}"/>'
        )

    def bar(self, ends: tuple[float, float], heights: tuple[float, float], kind: str, tip: str) -> None:
        """Draw a bar between two values of x, from one height to another."""
        (left, right), (low, high) = map(self.x, ends), heights
        top, foot = self.y(high), self.y(low)
        self.parts.append(
            f'<rect class="bar {kind}" x="{left + 0.5:g}" y="{top}" width="{max(right - left - 1, 0.5):g}" '
            f'height="{round(foot - top, 2)}" data-tip="{escape(tip)}"/>'
        )

    def svg(self, label: str, kind: str = "") -> str:
        """Return the chart, named for those who hear the page."""
        width = self.x.end + RIGHT
        return (
            f'<svg class="chart {kind}" viewBox="0 0 {width:g} {self.height:g}" role="img" '
            f'aria-label="{escape(label)}">{"".join(self.parts)}</svg>'
        )

    def _places(self, points: Points) -> list[str]:
        return [f"{self.x(x)} {self.y(y)}" for x, y in points]

    def _inside(self, points: Points) -> Points:
        return [(x, min(max(y, self.y.low), self.y.high)) for x, y in points]


def ticks(low: float, high: float, is_count: bool = False) -> list[float]:
    """Return round values between two ends."""
    from matplotlib.ticker import MaxNLocator

    found = MaxNLocator(5, steps=(1, 2, 5, 10), integer=is_count).tick_values(low, high)
    slack = 1e-9 * (high - low)
    return [float(value) for value in found if low - slack <= value <= high + slack]


def rounded(low: float, high: float, ends: Range = (0, 1)) -> Range:
    """Return a range of y around values, with a margin, that stays within the ends of a metric where values do."""
    margin = 0.08 * (high - low) or 0.05
    below, above = low - margin, high + margin
    return max(below, ends[0]) if low >= ends[0] else below, min(above, ends[1]) if high <= ends[1] else above


def spanned(points: Sequence[float], bars: Sequence[float]) -> Range:
    """Return a range of y around points, and around the ends of their error bars as far as a metric can go: 0 to 1."""
    least, most = 0 if min(points) >= 0 else -math.inf, 1 if max(points) <= 1 else math.inf
    inside = [min(max(value, least), most) for value in (*points, *bars)]
    return rounded(min(inside), max(inside))


def decades(low: float, high: float) -> list[tuple[float, str]]:
    """Return powers of ten from one value to another, with their labels; if there are none, the values."""
    powers = range(math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9) + 1)
    step = 1 + len(powers) // 7
    found = [(10.0**power, f"{10.0**power:g}") for power in powers][::step]
    return found or [(low, f"{low:g}"), (high, f"{high:g}")]


def figure(title: str, chart: str, caption: str, keys: Sequence[tuple[str, str]] = ()) -> str:
    """Return a chart with its heading, a legend of (class, words), and a caption in HTML."""
    legend = "".join(
        f'<li><svg viewBox="0 0 26 10" aria-hidden="true">{_key(kind)}</svg>{escape(words)}</li>'
        for kind, words in keys
    )
    below = f"<figcaption>{caption}</figcaption>" if caption else ""
    listed = f'<ul class="legend">{legend}</ul>' if keys else ""
    return f'<figure class="panel"><h3>{escape(title)}</h3>{listed}<div class="scroll">{chart}</div>{below}</figure>'


def _key(kind: str) -> str:
    if kind.startswith("bar"):
        return f'<rect class="{kind}" x="6" y="0" width="14" height="10"/>'
    if kind.startswith("line"):
        return f'<path class="{kind}" d="M1 5H25"/>'
    return f'<path class="line {kind}" d="M1 5H25"/><circle class="mark {kind}" cx="13" cy="5" r="4"/>'


def section(name: str, title: str, body: str, lead: str = "") -> str:
    """Return a section of the page; nothing if it is empty."""
    before = f'<p class="lead">{lead}</p>' if lead else ""
    return f'<section id="{name}"><h2>{escape(title)}</h2>{before}{body}</section>' if body else ""
