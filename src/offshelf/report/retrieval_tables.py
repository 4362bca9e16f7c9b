"""Tables of retrieval results."""

import csv
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from rich.filesize import decimal

from offshelf.dataset.formulas import unmark
from offshelf.evaluation.retrieval import RetrievalScore
from offshelf.report.files import with_error_bar
from offshelf.terminal.grid import Grid, columns


def query_table(score: RetrievalScore, ids: Sequence[str]) -> dict[str, list[Any]]:
    """Return a row per query: its id and every metric; None if nothing is relevant to it."""
    columns: dict[str, list[Any]] = {"query": list(ids)}
    for name, numbers in score.by_query.items():
        columns[of_one(name)] = [None if np.isnan(number) else float(number) for number in numbers]
    return columns


def query_values(text: str, metric: str) -> np.ndarray | None:
    """Return a metric of each query from a table, float64 [Q], NaN if undefined; None if the table lacks it."""
    values = [line.get(of_one(metric)) for line in csv.DictReader(io.StringIO(text, newline=""))]
    return None if None in values else np.array([float(value or "nan") for value in values])


def paired_queries(first: str, second: str, metric: str) -> tuple[np.ndarray, np.ndarray] | None:
    """Return a metric of the same queries from two tables, float64 [Q] each, NaN if undefined.

    The result is None if the queries differ, or a table lacks the metric.
    """
    one, other = (
        {unmark(line["query"]): line.get(of_one(metric)) for line in csv.DictReader(io.StringIO(text, newline=""))}
        for text in (first, second)
    )
    if not one or one.keys() != other.keys() or None in (*one.values(), *other.values()):
        return None
    mine, theirs = (np.array([float(table[query] or "nan") for query in one]) for table in (one, other))
    return mine, theirs


def of_one(name: str) -> str:
    """Return the name of a mean over queries for a single one: `medium/mAP` is `medium/AP`."""
    protocol, slash, metric = name.rpartition("/")
    return protocol + slash + (metric[1:] if metric.startswith(("mAP", "mP")) else metric)


def layer_scores(scores: Sequence[RetrievalScore], chosen: RetrievalScore, title: str) -> Grid:
    """Return the layers from input to output with the official metric of each, the reported one bold."""
    numbers = [_words(chosen.metric.rpartition("/")[2]), "dims", "floats", "size", "search s"]
    grid = Grid(columns(["layer"], numbers), title, _about(scores, chosen))
    for score in scores:
        floats, size = score.footprint
        cells = (f"{score.dims:,}", f"{floats:,}", decimal(size), f"{score.seconds:.1f}")
        grid.add(
            *(score.name, with_error_bar(score.metrics, score.metric), *cells),
            is_bold=score is chosen and len(scores) > 1,
        )
    return grid


def _about(scores: Sequence[RetrievalScore], chosen: RetrievalScore) -> list[str]:
    notes = ["floats, size: per reference"]
    if chosen.bootstrap.replicates:
        notes.insert(0, f"±: half of the {chosen.bootstrap.level:.0%} interval over queries")
    several = ["No training images to choose a layer by: the last is reported."] if len(scores) > 1 else []
    return ["; ".join(notes), *several]


def protocol_scores(score: RetrievalScore) -> Grid:
    """Return every metric of one layer, a column per protocol."""
    protocols = [_words(protocol) or "value" for protocol in score.ranks]
    grid = Grid(columns([score.name], protocols), notes=["*: the official metric"])
    for metric in dict.fromkeys(name.rpartition("/")[2] for name in score.by_query):
        names = [f"{protocol}/{metric}" if protocol else metric for protocol in score.ranks]
        cells = [with_error_bar(score.metrics, name) if name in score.by_query else "" for name in names]
        marked = [f"{cell} {'*' if name == score.metric else ' '}" for name, cell in zip(names, cells, strict=True)]
        grid.add(_words(metric), *marked)
    return grid


def _words(name: str) -> str:
    return name.replace("_", " ")
