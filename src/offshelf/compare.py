"""`offshelf compare`: runs side by side, best first, with error bars and what the difference to the best is worth."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.table import Table

from offshelf.arguments import Parser, divide
from offshelf.errors import ConfigError, TrackingError
from offshelf.metric import METRICS, Bootstrap, Difference
from offshelf.report import Sheet, paired, paired_queries, with_error_bar, write_sheet
from offshelf.spelling import did_you_mean
from offshelf.terminal import terminal
from offshelf.tracking.reading import SETTINGS, TrackedRun, TrackedRuns

SHOWN = 3
"""Parameters that the terminal has room for; files have all that differ."""


@dataclass(frozen=True)
class Row:
    """A run, and how it compares with the best one."""

    run: TrackedRun
    value: float
    difference: Difference | None
    """None for the best run itself, and where the test images are not the same."""


def main(arguments: Sequence[str]) -> int:
    """Compare the runs that are named, or those under the one that is named.

    Raises:
        ConfigError: an argument is misspelt.
        TrackingError: a run cannot be found, or kept no predictions.
    """
    options = _parser().parse_args(arguments)
    selectors, where = divide(options.runs, SETTINGS)
    chosen = _chosen(TrackedRuns(**where), selectors)
    metric = options.metric or chosen[0].tags.get("metric", "accuracy")
    sheet = to_sheet(compare(chosen, metric, Bootstrap(options.replicates)), metric)
    _show(sheet)
    for file in options.out or ():
        write_sheet(Path(file), sheet)
    return 0


def compare(runs: Sequence[TrackedRun], metric: str, bootstrap: Bootstrap) -> list[Row]:
    """Best first; differences to the best on the same draws of the same test images.

    Raises:
        ConfigError: there is no such metric, or a run has it not.
        TrackingError: the tables of predictions cannot be read.
    """
    known = [*METRICS, *(name for name in runs[0].metrics if name.startswith("test/"))]
    names = list(dict.fromkeys(name.removeprefix("test/") for name in known))
    if metric not in names:
        raise ConfigError(f"There is no metric '{metric}'{did_you_mean(metric, names)}")
    without = [run.name for run in runs if f"test/{metric}" not in run.metrics]
    if without:
        raise ConfigError(f"Without test/{metric}: {', '.join(without)}. Another metric: --metric NAME")
    best, *others = sorted(runs, key=lambda run: -run.metrics[f"test/{metric}"])
    rows = [Row(best, best.metrics[f"test/{metric}"], None)]
    rows += [Row(run, run.metrics[f"test/{metric}"], _difference(best, run, metric, bootstrap)) for run in others]
    return rows


def _difference(best: TrackedRun, run: TrackedRun, metric: str, bootstrap: Bootstrap) -> Difference | None:
    """Paired by test images, or of a retrieval by queries; None where these are not the same or not on record."""
    file = "predictions.csv" if metric in METRICS else "queries.csv"
    first, second = best.text(file), run.text(file)
    if not first or not second or not bootstrap.replicates:
        return None
    if metric in METRICS:
        pair = paired(first, second)
        return bootstrap.difference(metric, *pair) if pair else None
    values = paired_queries(first, second, metric)
    return bootstrap.mean_difference(*values) if values else None


def to_sheet(rows: Sequence[Row], metric: str) -> Sheet:
    """A line a run: metric with its interval, difference to the best with its interval, p-value, what differs."""
    varied = _varied([row.run for row in rows])
    columns = ["run", "id", metric, "to the best", "p", *varied]
    lines = [
        [row.run.name, row.run.id[:8], with_error_bar(row.run.metrics, metric), *_gap(row.difference, row is rows[0])]
        + [row.run.params.get(name, "") for name in varied]
        for row in rows
    ]
    notes = [
        "±: half of the bootstrap interval over test images or queries (95 % unless the run says otherwise); "
        "differences are paired, one by one.",
        "p: two-sided, of no difference to the best; not corrected for the number of runs.",
    ]
    if any(row.difference is None for row in rows[1:]):
        notes.append(
            "–: not the same test images or queries, or no table of them on record, so that nothing can be paired."
        )
    return Sheet(f"{metric} of {len(rows)} runs", columns, lines, notes)


def _gap(difference: Difference | None, is_best: bool) -> list[str]:
    if difference is None:
        return ["best" if is_best else "–", ""]
    return [
        f"{difference.value:+.4f} ± {difference.interval.half:.4f}",
        f"{difference.p_value:.3f}" if difference.p_value >= 0.001 else "< 0.001",
    ]


def _varied(runs: Sequence[TrackedRun]) -> list[str]:
    """Parameters that are not the same for all, the task's own first."""
    names = {name for run in runs for name in run.params if not name.endswith("_target_")}
    varied = [name for name in names if len({run.params.get(name) for run in runs}) > 1]
    return sorted(varied, key=lambda name: (name.count("."), name))


def _chosen(runs: TrackedRuns, selectors: Sequence[str]) -> list[TrackedRun]:
    found = [run for selector in selectors for run in runs.find(selector)]
    unique = list({run.id: run for run in found}.values())
    if len(unique) == 1:
        unique = [run for run in runs.children(unique[0]) if run.metrics] or unique
    if len(unique) < 2:
        raise TrackingError("One run alone cannot be compared: name two or more, a sweep, or a filter.")
    return unique


def _show(sheet: Sheet) -> None:
    table = Table(title=sheet.title, box=box.SIMPLE, title_justify="left", pad_edge=False)
    fixed = 5
    for number, column in enumerate(sheet.columns[: fixed + SHOWN]):
        is_number = 1 < number < fixed
        table.add_column(column, justify="right" if is_number else "left", no_wrap=is_number)
    for number, line in enumerate(sheet.rows):
        table.add_row(*line[: fixed + SHOWN], style="bold" if number == 0 else None)
    console = terminal()
    console.print(table)
    hidden = sheet.columns[fixed + SHOWN :]
    more = [f"These differ too: {', '.join(hidden)}; --out FILE.csv has them."] if hidden else []
    for note in [*sheet.notes, *more]:
        console.print(note, soft_wrap=True)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="offshelf compare", description=__doc__)
    parser.add_argument(
        "runs", nargs="+", help="ids (their first letters), names, a sweep, or a filter", metavar="RUN|home=DIR"
    )
    parser.add_argument("--metric", help="by default the official one of the first run's data set")
    parser.add_argument("--out", action="append", help="a file to write: .md, .csv, .html, .tex", metavar="FILE")
    parser.add_argument("--replicates", type=int, default=2000, help="draws of the bootstrap")
    return parser
