"""The presentation of a sweep: its jobs in a table, and the metric by the swept parameter."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

from offshelf.report.literal import literal
from offshelf.terminal.grid import Column, Grid, columns

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class JobOutcome:
    """The end of a job of a sweep."""

    number: int
    choices: Mapping[str, str]
    """Overrides of the job, key to value, as on the command line."""
    status: str
    """`done`, `done before`, `done elsewhere`, `FAILED`, or `not run`."""
    value: float | None = None
    """The primary metric, if there is one."""
    seconds: float | None = None
    run: str = ""
    """The tracker's id of the run; empty if there is none."""

    @property
    def is_open(self) -> bool:
        """Whether the job still has to be done."""
        return not self.status.startswith("done")


def swept(outcomes: Sequence[JobOutcome]) -> list[str]:
    """Return the keys that differ between jobs; all of them if none does."""
    keys = list(dict.fromkeys(key for outcome in outcomes for key in outcome.choices))
    return [key for key in keys if len({outcome.choices.get(key) for outcome in outcomes}) > 1] or keys


def job_columns(outcomes: Sequence[JobOutcome], metric: str) -> dict[str, list[Any]]:
    """Return column names with values, a row per job."""
    columns: dict[str, list[Any]] = {"job": [outcome.number for outcome in outcomes]}
    columns |= {key: [outcome.choices.get(key, "") for outcome in outcomes] for key in swept(outcomes)}
    columns["status"] = [outcome.status for outcome in outcomes]
    columns[metric] = [outcome.value for outcome in outcomes]
    columns["seconds"] = [outcome.seconds for outcome in outcomes]
    return columns | {"run": [outcome.run for outcome in outcomes]}


def job_table(outcomes: Sequence[JobOutcome], metric: str, best: str, caption: str = "") -> Grid:
    """Return the jobs of a sweep in their order; that of the run `best` is bold."""
    keys = swept(outcomes)
    grid = Grid([Column("job"), Column(metric), *columns(keys), *columns(["status"], ["s"])])
    grid.notes = [caption] if caption else []
    for outcome in outcomes:
        value = "–" if outcome.value is None else f"{outcome.value:.4f}"
        seconds = "–" if outcome.seconds is None else f"{outcome.seconds:.1f}"
        cells = [str(outcome.number), value, *(outcome.choices.get(key, "") for key in keys), outcome.status, seconds]
        grid.add(*cells, is_bold=bool(best) and outcome.run == best)
    return grid


def forecast_table(jobs: Sequence[tuple[JobOutcome, str]]) -> Grid:
    """Return the jobs of a sweep, and what each still needs."""
    keys = swept([outcome for outcome, _ in jobs])
    grid = Grid([Column("job"), *columns([*keys, "still to be done"])])
    for outcome, needs in jobs:
        grid.add(str(outcome.number), *(outcome.choices.get(key, "") for key in keys), needs)
    return grid


def sweep_figure(outcomes: Sequence[JobOutcome], metric: str) -> "Figure | None":
    """Draw the metric by the swept number, a line for each combination of the other swept parameters.

    The result is None unless exactly one number was swept and at least two jobs have a value.
    """
    scored = [outcome for outcome in outcomes if outcome.value is not None]
    keys = swept(scored)
    numeric = [key for key in keys if all(_number(outcome.choices.get(key)) is not None for outcome in scored)]
    if len(scored) < 2 or len(numeric) != 1:
        return None
    from matplotlib.figure import Figure

    (key,) = numeric
    others = [other for other in keys if other != key]

    def line(outcome: JobOutcome) -> tuple[str, ...]:
        return tuple(outcome.choices.get(other, "") for other in others)

    figure = Figure(figsize=(6.5, 4.5), layout="tight")
    axes = figure.add_subplot(xlabel=literal(key), ylabel=literal(metric))
    for name, members in groupby(sorted(scored, key=line), line):
        points = sorted((_number(member.choices[key]) or 0.0, member.value) for member in members)
        axes.plot(*zip(*points, strict=True), "o-", label=literal(", ".join(name)))
    places = [_number(outcome.choices[key]) or 0.0 for outcome in scored]
    if min(places) > 0 and max(places) >= 10 * min(places):
        axes.set_xscale("log")
    if others:
        axes.legend(title=literal(", ".join(others)))
    axes.grid(alpha=0.3)
    return figure


def _number(text: str | None) -> float | None:
    try:
        return float(text or "")
    except ValueError:
        return None
