"""Files of a run: metrics.json, tables and the resolved config, next to those that Hydra writes."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from offshelf.errors import StoreError
from offshelf.evaluation.score import Score
from offshelf.metric import Interval
from offshelf.report.cell import csv_lines


class Scored(Protocol):
    """The score of one layer, whatever the task."""

    @property
    def name(self) -> str:
        """Name of the layer."""

    @property
    def metric(self) -> str:
        """Name of the official metric."""

    @property
    def metrics(self) -> Mapping[str, float]:
        """All metrics."""


def per_class(score: Score, classes: Sequence[str]) -> dict[str, list[Any]]:
    """Return columns: class, its test images, and accuracy, or for a label its AP and area under the ROC curve.

    With folds `images` is their sum, and accuracy the share of all of them; see Score.by_class. Undefined numbers, as
    without test images, are None.
    """
    if score.kind == "number":
        return {}
    counts = np.sum([outcome.counts() for outcome in score.outcomes], axis=0)
    numbers = {
        name: [None if np.isnan(value) else float(value) for value in values] for name, values in score.by_class.items()
    }
    return {"class": list(classes), "images": counts.tolist(), **numbers}


def curve_table(scores: Sequence[Score]) -> dict[str, list[Any]]:
    """Return columns: layer, the hyperparameter's value, the cross-validated metric and its deviation over the folds.

    There are no columns if the hyperparameter was given.
    """
    curves = [(score.name, score.curve) for score in scores if score.curve]
    if not curves:
        return {}
    return {
        "layer": [name for name, curve in curves for _ in curve.values],
        curves[0][1].parameter: [value for _, curve in curves for value in curve.values],
        "mean": [float(mean) for _, curve in curves for mean in curve.mean],
        "std": [float(std) for _, curve in curves for std in curve.std],
    }


def metric_columns(scores: Sequence[Scored]) -> dict[str, list[Any]]:
    """Return columns: layer, and every metric that a score has, None where another has it not."""
    columns: dict[str, list[Any]] = {"layer": [score.name for score in scores]}
    names = dict.fromkeys(
        name for score in reversed(scores) for name in score.metrics
    )  # with few images some are missing
    return columns | {name: [score.metrics.get(name) for score in scores] for name in names}


def layer_columns(scores: Sequence[Score]) -> dict[str, list[Any]]:
    """Return columns: layer, dims, every metric and, of SVMs, the method that solved them."""
    metrics = metric_columns(scores)
    methods = [score.svm_method for score in scores]
    columns = {"layer": metrics.pop("layer"), "dims": [score.dims for score in scores], **metrics}
    return {**columns, "svm_method": methods} if any(methods) else columns


def with_error_bar(metrics: Mapping[str, float], name: str) -> str:
    """Return a test metric of a run, ± half of its interval if it has one."""
    interval = Interval.logged(metrics, name)
    return f"{metrics[f'test/{name}']:.4f}{f' ± {interval.half:.4f}' if interval else ''}"


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flatten a nested config to dotted names and leaf values; lists stay values."""
    items: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            items |= flat(value, f"{prefix}{key}.")
        else:
            items[f"{prefix}{key}"] = value
    return items


def csv_text(columns: Mapping[str, Sequence[Any]]) -> str:
    """Return columns as CSV; None is an empty cell, numbers have all digits, and text is marked by `cell.mark`."""
    return csv_lines([list(columns), *zip(*columns.values(), strict=True)])


def write_run(
    folder: Path, metrics: Mapping[str, float], scores: Sequence[Score], classes: Sequence[str], config: str
) -> None:
    """Write metrics.json, config.yaml and, except for numbers, per_class.csv (a row per layer and class).

    Raises:
        StoreError: The folder cannot be written.
    """
    write_text(folder / "metrics.json", json.dumps(dict(metrics), indent=2) + "\n")
    write_text(folder / "config.yaml", config)
    tables = [(score.name, table) for score in scores if (table := per_class(score, classes))]
    if not tables:
        return
    by_layer = {"layer": [name for name, table in tables for _ in table["class"]]}
    by_layer |= {column: [cell for _, table in tables for cell in table[column]] for column in tables[0][1]}
    write_text(folder / "per_class.csv", csv_text(by_layer))


def write_table(path: Path, columns: Mapping[str, Sequence[Any]]) -> None:
    """Write columns as a CSV file.

    Raises:
        StoreError: The folder cannot be written.
    """
    write_text(path, csv_text(columns))


def write_text(path: Path, text: str) -> None:
    """Write a file, and create its folder if missing.

    Raises:
        StoreError: The folder cannot be written.
    """
    write_bytes(path, text.encode("utf-8", "backslashreplace"))  # names may have bytes that are not UTF-8


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file, and create its folder if missing.

    Raises:
        StoreError: The folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        raise StoreError(f"Could not write the run's results to {path}: {error.strerror}.") from error
