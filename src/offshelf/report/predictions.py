"""What each test image was taken for: a table that a run keeps, and that runs are compared by."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from offshelf.dataset import ImageSet
from offshelf.errors import DatasetError
from offshelf.evaluate import Score
from offshelf.metric import Outcome


def predictions(score: Score, images: ImageSet) -> dict[str, list[Any]]:
    """What every test image is and what it was taken for: what runs are compared by, and where to look for mistakes.

    Columns: fold, id, then true and predicted class and the score of the predicted one; or, for several labels, true
    (1, -1, 0) and score of each.
    """
    rows = [row for fold in images.folds for row in fold.test]
    columns: dict[str, list[Any]] = {
        "fold": [number for number, fold in enumerate(images.folds) for _ in fold.test],
        "id": [images.samples[row].id for row in rows],
    }
    scores = np.concatenate([outcome.scores for outcome in score.outcomes])
    targets = np.concatenate([outcome.targets for outcome in score.outcomes])
    if score.is_multilabel:
        for number, name in enumerate(images.classes):
            columns |= {f"true {name}": targets[:, number].tolist(), f"score {name}": scores[:, number].tolist()}
        return columns
    predicted = scores.argmax(axis=1)
    return columns | {
        "true": [images.classes[number] for number in targets],
        "predicted": [images.classes[number] for number in predicted],
        "score": scores.max(axis=1).tolist(),
    }


@dataclass(frozen=True, eq=False)
class Predictions:
    """The table read back."""

    classes: tuple[str, ...]
    """Of single labels those that occur, sorted; of several labels all, in the order of the table."""
    ids: tuple[tuple[str, ...], ...]
    """Of the test images of each fold."""
    outcomes: tuple[Outcome, ...]
    """Of single labels only the predicted class has a score, 1."""


def read_predictions(text: str, classes: Sequence[str] | None = None) -> Predictions:
    """Read `predictions.csv`, a table of `predictions`.

    Args:
        text: The file.
        classes: Names of single labels and their order; by default those that occur, sorted.

    Raises:
        DatasetError: it is no such table.
    """
    lines = list(csv.DictReader(io.StringIO(text)))
    header = list(lines[0]) if lines else []
    try:
        labels = [name.removeprefix("true ") for name in header if name.startswith("true ")]
        single = [] if labels else sorted({line[key] for line in lines for key in ("true", "predicted")})
        names = tuple(labels or classes or single)
        folds: dict[int, list[dict[str, str]]] = {}
        for line in lines:
            folds.setdefault(int(line["fold"]), []).append(line)
        read = _several if labels else _single
        outcomes = tuple(read(folds[number], names) for number in sorted(folds))
        ids = tuple(tuple(line["id"] for line in folds[number]) for number in sorted(folds))
    except (KeyError, ValueError, TypeError) as error:
        raise DatasetError(
            f"This is no table of predictions: its columns are {', '.join(header) or 'none'}."
        ) from error
    if not outcomes:
        raise DatasetError("This is no table of predictions: it has no lines.")
    return Predictions(names, ids, outcomes)


def _single(lines: Sequence[dict[str, str]], classes: Sequence[str]) -> Outcome:
    place = {name: number for number, name in enumerate(classes)}
    predicted = [place[line["predicted"]] for line in lines]
    return Outcome(np.array([place[line["true"]] for line in lines]), np.eye(len(classes))[predicted])


def _several(lines: Sequence[dict[str, str]], labels: Sequence[str]) -> Outcome:
    targets = np.array([[int(line[f"true {name}"]) for name in labels] for line in lines], np.int8)
    return Outcome(targets, np.array([[float(line[f"score {name}"]) for name in labels] for line in lines]))


def paired(first: str, second: str) -> tuple[tuple[Outcome, ...], tuple[Outcome, ...]] | None:
    """Outcomes of two tables for the same test images in the same order; None where the images or labels are others.

    Raises:
        DatasetError: one is no table of predictions.
    """
    one, other = read_predictions(first), read_predictions(second)
    if one.outcomes[0].is_multilabel != other.outcomes[0].is_multilabel:
        return None
    if not one.outcomes[0].is_multilabel:
        together = sorted({*one.classes, *other.classes})
        one, other = read_predictions(first, together), read_predictions(second, together)
    if one.classes != other.classes or len(one.ids) != len(other.ids):
        return None
    reordered = []
    for mine, theirs, outcome, target in zip(one.ids, other.ids, other.outcomes, one.outcomes, strict=True):
        place = {name: row for row, name in enumerate(theirs)}
        if place.keys() != set(mine) or len(mine) != len(theirs):
            return None
        rows = np.array([place[name] for name in mine])
        reordered.append(Outcome(outcome.targets[rows], outcome.scores[rows]))
        if not (reordered[-1].targets == target.targets).all():
            return None
    return one.outcomes, tuple(reordered)
