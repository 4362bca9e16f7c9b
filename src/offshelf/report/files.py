"""Files of a run: metrics.json, tables and the resolved config, beside what Hydra writes."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from offshelf.errors import StoreError
from offshelf.evaluate import Score
from offshelf.metric import class_accuracies


def per_class(score: Score, classes: Sequence[str]) -> dict[str, list[Any]]:
    """Columns: class, test images and the share of them predicted right (None without test images)."""
    shares = class_accuracies(score.confusion)
    return {
        "class": list(classes),
        "images": score.confusion.sum(axis=1).tolist(),
        "accuracy": [None if np.isnan(share) else float(share) for share in shares],
    }


def curve_table(scores: Sequence[Score]) -> dict[str, list[Any]]:
    """Columns: layer, the hyperparameter's value, cross-validated accuracy and its standard deviation over the folds.

    No columns where the hyperparameter was given.
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


def flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A nested config as dotted names and leaf values; lists stay values."""
    items: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            items |= flat(value, f"{prefix}{key}.")
        else:
            items[f"{prefix}{key}"] = value
    return items


def write_run(
    folder: Path, metrics: Mapping[str, float], scores: Sequence[Score], classes: Sequence[str], config: str
) -> None:
    """Write metrics.json, per_class.csv (a row a layer and class) and config.yaml.

    Raises:
        StoreError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "metrics.json").write_text(json.dumps(dict(metrics), indent=2) + "\n", encoding="utf-8")
        (folder / "per_class.csv").write_text(_csv(scores, classes), encoding="utf-8")
        (folder / "config.yaml").write_text(config, encoding="utf-8")
    except OSError as error:
        raise StoreError(f"Could not write the run's results to {folder}: {error.strerror}.") from error


def write_table(path: Path, columns: Mapping[str, Sequence[Any]]) -> None:
    """Write columns as a CSV file.

    Raises:
        StoreError: the folder cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows(zip(*columns.values(), strict=True))
    except OSError as error:
        raise StoreError(f"Could not write the run's results to {path}: {error.strerror}.") from error


def _csv(scores: Sequence[Score], classes: Sequence[str]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["layer", "class", "images", "accuracy"])
    for score in scores:
        columns = per_class(score, classes)
        for name, images, share in zip(*columns.values(), strict=True):
            writer.writerow([score.name, name, images, "" if share is None else repr(share)])
    return text.getvalue()
