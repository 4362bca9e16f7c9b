"""Tables of retrieval results."""

import csv
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from rich import box
from rich.filesize import decimal
from rich.table import Table

from offshelf.evaluation.retrieval import RetrievalScore
from offshelf.formulas import unmark
from offshelf.report.files import with_error_bar


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


def layer_scores(scores: Sequence[RetrievalScore], chosen: RetrievalScore, title: str) -> Table:
    """Return the layers from input to output with the official metric of each, the reported one bold."""
    table = Table(title=title, box=box.SIMPLE, title_justify="left", pad_edge=False)
    table.add_column("layer")
    for column in ("dims", _words(chosen.metric.rpartition("/")[2]), "floats", "size", "search s"):
        table.add_column(column, justify="right")
    for score in scores:
        floats, size = score.footprint
        cells = (
            f"{score.dims:,}",
            with_error_bar(score.metrics, score.metric),
            f"{floats:,}",
            decimal(size),
            f"{score.seconds:.1f}",
        )
        table.add_row(score.name, *cells, style="bold" if score is chosen and len(scores) > 1 else None)
    notes = ["floats, size: per reference"]
    if chosen.bootstrap.replicates:
        notes.append(f"±: half of the {chosen.bootstrap.level:.0%} interval over queries")
    if len(scores) > 1:
        notes.append("no training images to choose a layer by: the last is reported")
    table.caption, table.caption_justify = "; ".join(notes), "left"
    return table


def protocol_scores(score: RetrievalScore) -> Table:
    """Return every metric of one layer, a column per protocol."""
    table = Table(box=box.SIMPLE, pad_edge=False)
    table.add_column(score.name)
    for protocol in score.ranks:
        table.add_column(_words(protocol) or "value", justify="right")
    for metric in dict.fromkeys(name.rpartition("/")[2] for name in score.by_query):
        names = [f"{protocol}/{metric}" if protocol else metric for protocol in score.ranks]
        cells = [with_error_bar(score.metrics, name) if name in score.by_query else "" for name in names]
        table.add_row(
            _words(metric),
            *(f"{cell} *" if name == score.metric else cell for name, cell in zip(names, cells, strict=True)),
        )
    table.caption, table.caption_justify = "*: the official metric", "left"
    return table


def _words(name: str) -> str:
    return name.replace("_", " ")
