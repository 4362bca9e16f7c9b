"""`offshelf runs`: tracked runs in the terminal, newest first."""

import argparse
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from offshelf.commands.arguments import Parser, divide
from offshelf.commands.result import CommandResult
from offshelf.errors import ConfigError
from offshelf.home import home_path
from offshelf.terminal import say, terminal
from offshelf.terminal.grid import GAP, Column, Grid
from offshelf.tracking.mlflow.reading import SETTINGS, TrackedRun, TrackedRuns
from offshelf.tracking.outbox.outbox import Outbox

COLUMNS = ("id", "name", "value", "metric", "dataset", "layer", "backbone", "when", "task", "status")

LEAST_TELLING = ("status", "task", "when", "metric", "backbone", "dataset", "layer")
"""Columns that are left out of a narrow terminal, the first one first."""

PLAIN_KEYS = {"name": "attributes.run_name", "status": "attributes.status", "svm_method": "tags.svm_method"}
"""Words of a filter that are not parameters, and what MLflow calls them."""

_WORD = re.compile(r"(?P<key>[\w./@-]+)\s*(?P<operator>!=|>=|<=|=|>|<)\s*(?P<value>.*)", re.DOTALL)
_MLFLOW = re.compile(r"(?:metrics?|params?|parameters?|tags?|attributes?|attr|runs?)\.")


def main(arguments: Sequence[str]) -> CommandResult:
    """List runs.

    Raises:
        ConfigError: an argument is misspelt.
        TrackingError: there are no runs, or the store cannot be read, or does not understand a filter.
    """
    options = _parser().parse_args(arguments)
    words, settings = divide(options.words, {**SETTINGS, "sort": "", "limit": "20"})
    sort, limit = settings.pop("sort"), _limit(settings.pop("limit"))
    text = " and ".join(map(to_filter, words))
    waiting = 0 if settings["uri"] else len(Outbox(home_path(settings["home"])).notes())
    found = _listed(settings, text, sort, limit, bool(waiting))
    rows = [describe(run) for run in found]
    if rows:
        columns, left_out = _fitting(rows, terminal().width)
        terminal().print(_table(rows, columns))
        say(f"Too wide for this terminal: {', '.join(left_out)}; --json has all columns." if left_out else "")
    else:
        say("No run matches." if text else "There are no runs.")
    if limit and len(rows) == limit:
        say(f"The first {limit}; all of them: limit=all")
    if waiting:
        say(f"{waiting} run(s) wait to be sent and are not listed: offshelf track sync")
    return CommandResult(
        {"runs": [_to_data(run, row) for run, row in zip(found, rows, strict=True)], "waiting": waiting}
    )


def to_filter(word: str) -> str:
    """Return a word of the command line as a filter of MLflow: `dataset=digits`, `test/accuracy>0.9`, or one already.

    Raises:
        ConfigError: it is neither.
    """
    if _MLFLOW.match(word):
        return word
    found = _WORD.fullmatch(word)
    if not found:
        raise ConfigError(
            f"'{word}' is not a filter. Filters are dataset=digits, 'test/accuracy>0.9', or MLflow's: "
            '"metrics.`test/accuracy` > 0.9"'
        )
    key, operator, value = found["key"], found["operator"], found["value"].strip()
    if "/" in key:
        return f"metrics.`{key}` {operator} {value}"
    if key == "task":
        return f"params.`_target_` {'LIKE' if operator == '=' else operator} {_quoted(f'offshelf.tasks.{value}%')}"
    if key == "status":
        value = value.upper()
    name = PLAIN_KEYS.get(key, f"params.`{key}`")
    if "*" in value and operator == "=":
        return f"{name} LIKE {_quoted(value.replace('*', '%'))}"
    return f"{name} {operator} {_quoted(value)}"


def describe(run: TrackedRun) -> dict[str, Any]:
    """Return what is listed of a run, by COLUMNS: texts, and the value as a number or None."""
    metric = _metric(run)
    when = datetime.fromtimestamp(run.started).astimezone()
    known = {name: run.params.get(name, "") for name in ("dataset", "backbone", "layer")}
    listed = {"id": run.id[:8], "when": f"{when:%Y-%m-%d %H:%M}", "task": _task(run), "name": run.name, **known}
    return {**listed, "metric": metric, "value": run.metrics.get(metric), "status": run.status.lower()}


def _listed(settings: dict[str, str], text: str, sort: str, limit: int | None, is_waiting: bool) -> list[TrackedRun]:
    if is_waiting and not (home_path(settings["home"]) / "mlflow.db").exists():
        return []
    runs = TrackedRuns(**settings)
    if sort != "value":
        return runs.search(text, _order(sort), limit)
    valued = [(run, run.metrics[_metric(run)]) for run in runs.search(text) if _metric(run) in run.metrics]
    return [run for run, _ in sorted(valued, key=lambda one: -one[1])][:limit]


def _order(sort: str) -> str:
    """Return a key as MLflow's order: metrics largest first, all else in the order of the alphabet."""
    if not sort or sort == "when":
        return ""
    if _MLFLOW.match(sort):
        return sort
    return f"metrics.`{sort}` DESC" if "/" in sort else f"{PLAIN_KEYS.get(sort, f'params.`{sort}`')} ASC"


def _limit(text: str) -> int | None:
    if text == "all":
        return None
    if not text.isdecimal() or int(text) < 1:
        raise ConfigError(f"limit is a positive whole number, or all; got '{text}'.")
    return int(text)


def _metric(run: TrackedRun) -> str:
    """Return the name of the official metric: on test images or, where these were not read, by cross-validation."""
    official = run.tags.get("metric") or run.tags.get("best_by", "").partition("/")[2]
    names = [f"{kind}/{official}" for kind in ("test", "cv")] if official else []
    return next((name for name in names if name in run.metrics), "")


def _task(run: TrackedRun) -> str:
    if "sweep_digest" in run.tags:
        return "sweep"
    target = run.params.get("_target_", "")
    return target.rpartition(".")[2]


def _to_data(run: TrackedRun, row: dict[str, Any]) -> dict[str, Any]:
    started = datetime.fromtimestamp(run.started).astimezone().isoformat(timespec="seconds")
    parent = run.tags.get("mlflow.parentRunId")
    known = {"parent": parent, "svm_method": run.tags.get("svm_method"), "params": run.params, "metrics": run.metrics}
    return {**row, "id": run.id, "when": started, **known}


def _table(rows: Sequence[dict[str, Any]], names: Sequence[str]) -> Grid:
    grid = Grid([Column(name, is_number=name == "value") for name in names])
    for row in rows:
        grid.add(*(_cell(row[name]) for name in names))
    return grid


def _fitting(rows: Sequence[dict[str, Any]], width: int) -> tuple[list[str], list[str]]:
    """Return the columns that a terminal has room for, and those that are left out; empty ones are neither."""
    shown = [name for name in COLUMNS if any(row[name] not in ("", None) for row in rows)]
    widths = {name: max(len(name), *(len(_cell(row[name])) for row in rows)) + GAP for name in shown}
    left_out = []
    for name in LEAST_TELLING:
        if name in shown and sum(widths[one] for one in shown) > width + GAP:
            shown.remove(name)
            left_out.append(name)
    return shown, left_out


def _cell(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else value or ""


def _quoted(value: str) -> str:
    """Return a value as MLflow's language has it, which knows no escape, but two kinds of quotes."""
    mark = '"' if "'" in value else "'"
    return f"{mark}{value}{mark}"


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        prog="offshelf runs",
        description=__doc__,
        epilog="also: sort=value (best first), METRIC or PARAMETER, limit=all, home=DIR uri=URI experiment=NAME",
    )
    parser.add_argument(
        "words",
        nargs="*",
        help="dataset=digits, layer='blocks.*', status=failed, task=classify, 'test/accuracy>0.9', or MLflow's filters",
        metavar="FILTER",
    )
    return parser
