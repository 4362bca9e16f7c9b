"""`offshelf compare`: runs side by side, best first, with error bars and what the difference to the best is worth."""

import argparse
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offshelf.commands.arguments import Parser, divide
from offshelf.commands.comparison import page_of
from offshelf.commands.differing import independent, varied
from offshelf.commands.pairing import Pairing, Tables
from offshelf.commands.result import CommandResult
from offshelf.errors import ConfigError, TrackingError
from offshelf.metric import METRICS, Bootstrap, Difference, Interval, is_loss
from offshelf.report import (
    FIGURES,
    SHEETS,
    Point,
    Sheet,
    comparison_figure,
    show_runs,
    with_error_bar,
    write_figure,
    write_sheet,
    write_text,
)
from offshelf.suggest import did_you_mean
from offshelf.tracking.mlflow.reading import SETTINGS, TrackedRun, TrackedRuns, is_filter

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAGE = ".html"
"""Suffix of the page of two runs; of more runs it is a table."""
MOST_REASONS = 3
"""Number of reasons that are given why runs cannot be paired."""


@dataclass(frozen=True)
class Row:
    """A run, and how it compares with the best one."""

    run: TrackedRun
    value: float
    difference: Difference | None
    """None for the best run itself, and where the tests cannot be paired."""
    why_not: str = ""
    """Why there is no difference; empty if there is, or for the best run."""


def main(arguments: Sequence[str]) -> CommandResult:
    """Compare the runs that are named, or those under the one that is named.

    Raises:
        ConfigError: an argument is misspelt.
        TrackingError: a run cannot be found, or kept no predictions.
    """
    options = _parser().parse_args(arguments)
    files = [Path(file) for file in options.out or ()]
    _require_formats(files)
    selectors, where = divide(options.runs, SETTINGS)
    found = _chosen(TrackedRuns(**where), selectors)
    metric = options.metric or _official(found)
    chosen, left_out = _with_metric(found, metric)
    rows = compare(chosen, metric, Bootstrap(options.replicates))
    sheet = to_sheet(rows, metric, left_out)
    show_runs(sheet)
    for file in files:
        if file.suffix in FIGURES:
            write_figure(file, draw(chosen, metric))
        elif file.suffix == PAGE and len(chosen) == 2:
            write_text(file, page_of(chosen[0], chosen[1], metric, Bootstrap(options.replicates)))
        else:
            write_sheet(file, sheet)
    return CommandResult({"metric": metric, "runs": to_data(rows, metric), "left_out": left_out})


def compare(runs: Sequence[TrackedRun], metric: str, bootstrap: Bootstrap) -> list[Row]:
    """Return the runs, best first, with paired differences to the best on the same draws of the test images.

    Raises:
        ConfigError: there is no such metric, or a run has it not.
        TrackingError: the tables of predictions cannot be read.
    """
    require_metric(runs, metric)
    best, *others = sorted(runs, key=lambda run: run.metrics[f"test/{metric}"], reverse=not is_loss(metric))
    first = Tables(best)
    beside = [_row(Pairing(first, Tables(run), bootstrap), metric) for run in others]
    return [Row(best, best.metrics[f"test/{metric}"], None), *beside]


def require_metric(runs: Sequence[TrackedRun], metric: str) -> None:
    """Raise ConfigError for a metric that does not exist, or that a run lacks."""
    known = [*METRICS, *(name for name in runs[0].metrics if name.startswith("test/"))]
    names = list(dict.fromkeys(name.removeprefix("test/") for name in known))
    if metric not in names:
        raise ConfigError(f"There is no metric '{metric}'{did_you_mean(metric, names)}")
    without = [run.name for run in runs if f"test/{metric}" not in run.metrics]
    if without:
        raise ConfigError(f"Without test/{metric}: {', '.join(without)}. Another metric: --metric NAME")


def _row(pairing: Pairing, metric: str) -> Row:
    run, difference = pairing.second.run, pairing.difference(metric)
    why_not = "" if difference else pairing.why_not(metric)
    return Row(run, run.metrics[f"test/{metric}"], difference, why_not)


def to_sheet(rows: Sequence[Row], metric: str, left_out: Sequence[str] = ()) -> Sheet:
    """Return a row per run: metric with its interval, difference to the best with its interval, p-value, parameters.

    Names of runs that were left out are in a note.
    """
    runs = [row.run for row in rows]
    differing = list(dict.fromkeys([*independent(runs), *varied(runs)]))
    columns = ["run", metric, "to the best", "p", "id", *differing]
    lines = [
        [row.run.name, with_error_bar(row.run.metrics, metric), *_gap(row.difference, row is rows[0]), row.run.id[:8]]
        + [row.run.params.get(name, "") for name in differing]
        for row in rows
    ]
    notes = [
        "±: half of the bootstrap interval over test images or queries (95% unless the run says otherwise); "
        "differences are paired, one by one.",
        "p: two-sided, of no difference to the best; not corrected for the number of runs.",
    ]
    notes += [f"–: not paired, as {why}." for why in dict.fromkeys(row.why_not for row in rows if row.why_not)][
        :MOST_REASONS
    ]
    if left_out:
        named = ", ".join(left_out[:5]) + (f" and {len(left_out) - 5} more" if len(left_out) > 5 else "")
        notes.append(f"Left out, as they have no test/{metric}: {named}.")
    return Sheet(f"{metric} of {len(rows)} runs", columns, lines, notes)


def to_data(rows: Sequence[Row], metric: str) -> list[dict[str, Any]]:
    """Return, for each run, its metric and interval, its difference to the best, and the parameters that differ."""
    runs = [row.run for row in rows]
    differing = list(dict.fromkeys([*independent(runs), *varied(runs)]))
    return [
        {
            "id": row.run.id,
            "name": row.run.name,
            "value": row.value,
            "interval": Interval.logged(row.run.metrics, metric),
            "difference_to_best": row.difference,
            "params": {name: row.run.params[name] for name in differing if name in row.run.params},
        }
        for row in rows
    ]


def _gap(difference: Difference | None, is_best: bool) -> list[str]:
    if difference is None:
        return ["best" if is_best else "–", ""]
    return [
        f"{difference.value:+.4f} ± {difference.interval.half:.4f}",
        f"{difference.p_value:.3f}" if difference.p_value >= 0.001 else "< 0.001",
    ]


def draw(runs: Sequence[TrackedRun], metric: str) -> "Figure":
    """Draw the metric by the one number in which runs differ or, if they differ in none, by layer in the runs' order.

    A line for each choice of what else differs. A run alone on its line, whose layer no other has, is a level: the
    baseline of `layer=all`.

    Raises:
        ConfigError: runs differ in several numbers, or in neither a number nor the layer.
    """
    differing = independent(runs)
    numeric = [name for name in differing if all(_number(run.params.get(name)) is not None for run in runs)]
    if len(numeric) > 1 or not (numeric or "layer" in differing):
        raise ConfigError(
            f"There is no curve to draw: the runs differ in {', '.join(differing) or 'nothing'}. A figure takes runs "
            "that differ in one number, or in the layer."
        )
    axis = numeric[0] if numeric else "layer"
    others = [name for name in differing if name != axis]
    lines = [", ".join(run.params.get(name, "–") for name in others) for run in runs]
    ticks = () if numeric else _shared_layers(runs, lines)
    places = {run.params[axis]: _number(run.params[axis]) for run in runs} if numeric else _numbered(ticks)
    points = [
        Point(places.get(run.params[axis]), line, run.metrics[f"test/{metric}"], Interval.logged(run.metrics, metric))
        for run, line in zip(runs, lines, strict=True)
    ]
    return comparison_figure(points, axis, metric, ticks, ", ".join(others))


def _shared_layers(runs: Sequence[TrackedRun], lines: Sequence[str]) -> tuple[str, ...]:
    """Return the layers of lines with several runs; of a single line all."""
    several = [line for line in lines if lines.count(line) > 1] or lines
    return tuple(dict.fromkeys(run.params["layer"] for run, line in zip(runs, lines, strict=True) if line in several))


def _numbered(ticks: Sequence[str]) -> dict[str, float | None]:
    return {tick: float(number) for number, tick in enumerate(ticks)}


def _require_formats(files: Sequence[Path]) -> None:
    for file in files:
        if file.suffix not in (*SHEETS, *FIGURES):
            raise ConfigError(
                f"{file} must end with one of {', '.join(SHEETS)} (tables) or {', '.join(FIGURES)} (figures)."
            )


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _chosen(runs: TrackedRuns, selectors: Sequence[str]) -> dict[str, tuple[TrackedRun, bool]]:
    """Return runs by their ids, and whether each was named, not found by a filter or as part of a sweep."""
    unique: dict[str, tuple[TrackedRun, bool]] = {}
    for selector in selectors:
        for run in reversed(runs.find(selector)):  # of a filter the first started
            named = not is_filter(selector) or unique.get(run.id, (run, False))[1]
            unique[run.id] = (_by_name(run), named)
    if len(unique) == 1:
        (alone, _), *_ = unique.values()
        unique = {run.id: (_by_name(run), False) for run in runs.children(alone) if run.metrics} or unique
    if len(unique) < 2:
        raise TrackingError("One run alone cannot be compared: name two or more, a sweep, or a filter.")
    return unique


def _by_name(run: TrackedRun) -> TrackedRun:
    """Return the run with its augmentation as a parameter by name, as the backbone and the data set are."""
    target = run.params.get("augmentation._target_", "").rpartition(".")[2]
    name = {"Views": "custom"}.get(target, re.sub(r"(?<=[a-z])(?=[A-Z])", "_", target).lower())
    return replace(run, params={**run.params, "augmentation": name}) if name else run


def _official(found: Mapping[str, tuple[TrackedRun, bool]]) -> str:
    """Return the official metric of the first run that has it."""
    metrics = [run.tags.get("metric", "accuracy") for run, _ in found.values()]
    having = [name for name, (run, _) in zip(metrics, found.values(), strict=True) if f"test/{name}" in run.metrics]
    return (having or metrics)[0]


def _with_metric(found: Mapping[str, tuple[TrackedRun, bool]], metric: str) -> tuple[list[TrackedRun], list[str]]:
    """Return runs to compare, and the names of others that a filter matches but that lack the metric.

    If fewer than two would be left, all are returned, so that the comparison says what they lack.
    """
    kept = [run for run, named in found.values() if named or f"test/{metric}" in run.metrics]
    left_out = [run.name for run, _ in found.values() if run not in kept]
    return (kept, left_out) if len(kept) > 1 else ([run for run, _ in found.values()], [])


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="offshelf compare", description=__doc__)
    parser.add_argument(
        "runs", nargs="+", help="ids (their first letters), names, a sweep, or a filter", metavar="RUN|home=DIR"
    )
    parser.add_argument("--metric", help="by default the official one of the first run's data set")
    parser.add_argument(
        "--out",
        action="append",
        help="a table, .md, .csv, .tex; a figure, .png, .svg; of two runs a page of what changed, .html",
        metavar="FILE",
    )
    parser.add_argument("--replicates", type=int, default=2000, help="draws of the bootstrap")
    return parser
