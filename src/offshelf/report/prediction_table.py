"""Predictions for test images: a table that a run keeps, and by which runs are compared."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from offshelf.dataset import ImageSet
from offshelf.errors import DatasetError
from offshelf.evaluation.score import Score
from offshelf.metric import LabelKind, Outcome
from offshelf.names import listed
from offshelf.report.cell import read_csv


def predictions(score: Score, images: ImageSet) -> dict[str, list[Any]]:
    """Return the true and predicted class, or number, of every test image, to compare runs and to look for mistakes.

    Columns are fold, id, then true and predicted class and the score of the latter; for several labels, the true value
    (1, -1, 0) and the score of each; or true and predicted number. Grouped images have the name of their group.
    Of a classifier with probabilities there are those of the labels or, for one class an image, what the log loss and
    the Brier score follow from: the true class's, and the Euclidean norm of all others.
    """
    rows = [row for fold in images.folds for row in fold.test]
    columns: dict[str, list[Any]] = {
        "fold": [number for number, fold in enumerate(images.folds) for _ in fold.test],
        "id": [images.samples[row].id for row in rows],
    }
    groups = images.groups
    if groups is not None:
        columns["group"] = [groups.names[groups.numbers_N[row]] for row in rows]
    scores = np.concatenate([outcome.scores for outcome in score.outcomes])
    targets = np.concatenate([outcome.targets for outcome in score.outcomes])
    if score.is_multilabel:
        for number, name in enumerate(images.classes):
            columns |= {f"true {name}": targets[:, number].tolist(), f"score {name}": scores[:, number].tolist()}
        return columns | _probabilities(score, images.classes)
    if score.kind == "number":
        return columns | {"true": targets.tolist(), "predicted": scores[:, 0].tolist()}
    predicted = scores.argmax(axis=1)
    return columns | {
        "true": [images.classes[number] for number in targets],
        "predicted": [images.classes[number] for number in predicted],
        "score": scores.max(axis=1).tolist(),
        **_probabilities(score, images.classes),
    }


TRUE, OTHERS = "probability of true", "norm of others"
"""Columns of one class an image: the probability of the true class, and the norm of those of all others."""


def _probabilities(score: Score, classes: Sequence[str]) -> dict[str, list[Any]]:
    """Return the columns of probabilities; none for a classifier without."""
    if not score.has_probabilities:
        return {}
    probable = np.concatenate([outcome.scores for outcome in score.probable["reported"]])
    if score.is_multilabel:
        return {f"probability {name}": column.tolist() for name, column in zip(classes, probable.T, strict=True)}
    targets = np.concatenate([outcome.targets for outcome in score.outcomes])
    is_true = np.arange(probable.shape[1]) == targets[:, None]
    return {
        TRUE: probable[is_true].tolist(),
        OTHERS: np.linalg.norm(np.where(is_true, 0, probable), axis=1).tolist(),
    }


KINDS: Mapping[LabelKind, str] = {
    "class": "one class an image",
    "labels": "several labels an image",
    "number": "numbers",
}


@dataclass(frozen=True, eq=False)
class Predictions:
    """A table of predictions, as read."""

    classes: tuple[str, ...]
    """For single labels the classes that occur, sorted; for several labels all, in the order of the table; for numbers
    one name."""
    ids: tuple[tuple[str, ...], ...]
    """Ids of the test images of each fold."""
    outcomes: tuple[Outcome, ...]
    """Outcomes; for single labels only the predicted class has a score, 1."""
    probable: tuple[Outcome, ...] = ()
    """Outcomes in probabilities, of which the log loss and the Brier score are those of the run; for single labels the
    true class is 0, and all others are one, with their norm. Empty without."""

    @property
    def kind(self) -> LabelKind:
        """What the images are labelled with."""
        return self.outcomes[0].kind

    @property
    def tests(self) -> tuple[int, ...]:
        """Number of the test images of each fold, from 0: folds that test the same images have the same number."""
        numbers: dict[tuple[str, ...], int] = {}
        return tuple(numbers.setdefault(ids, len(numbers)) for ids in self.ids)

    def among(self, classes: Sequence[str]) -> "Predictions":
        """Return the same single labels, numbered by `classes`, which may have more."""
        number = np.array([classes.index(name) for name in self.classes])
        scores = np.eye(len(classes))
        renumbered = [
            Outcome(number[one.targets], scores[number[one.predictions]], one.groups) for one in self.outcomes
        ]
        return Predictions(tuple(classes), self.ids, tuple(renumbered), self.probable)


def read_predictions(text: str) -> Predictions:
    """Read `predictions.csv`, a table of `predictions`.

    Raises:
        DatasetError: The text is not such a table.
    """
    header, *lines = read_csv(text) or [[]]
    columns = dict(zip(header, zip(*lines, strict=False), strict=False))
    try:
        labels = tuple(name.removeprefix("true ") for name in header if name.startswith("true "))
        names, outcome = _outcome(columns, labels)
        probable = _probable(columns, labels, outcome)
        folds = np.array(columns["fold"], int)
        rows = [np.flatnonzero(folds == fold) for fold in np.unique(folds)]
        ids = tuple(tuple(columns["id"][row] for row in fold) for fold in rows)
    except (KeyError, ValueError) as error:
        what = f"its columns are {', '.join(header) or 'none'}" if lines else "it has no lines"
        raise DatasetError(f"This is not a table of predictions: {what}.") from error
    groups = np.unique(columns["group"], return_inverse=True)[1] if "group" in columns else None

    def by_fold(one: Outcome) -> tuple[Outcome, ...]:
        return tuple(_taken(one, fold, None if groups is None else groups[fold]) for fold in rows)

    return Predictions(names, ids, by_fold(outcome), by_fold(probable) if probable else ())


_Columns = Mapping[str, Sequence[str]]


def _outcome(columns: _Columns, labels: tuple[str, ...]) -> tuple[tuple[str, ...], Outcome]:
    if labels:
        return labels, _several(columns, labels)
    if "score" not in columns:
        true, predicted = (np.array(columns[key], np.float64) for key in ("true", "predicted"))
        return ("number",), Outcome(true, predicted[:, None])
    classes = tuple(sorted({*columns["true"], *columns["predicted"]}))
    return classes, _single(columns, classes)


def _single(columns: _Columns, classes: Sequence[str]) -> Outcome:
    place = {name: number for number, name in enumerate(classes)}
    true, predicted = (np.array([place[name] for name in columns[key]]) for key in ("true", "predicted"))
    return Outcome(true, np.eye(len(classes))[predicted])


def _several(columns: _Columns, labels: Sequence[str]) -> Outcome:
    targets = np.array([columns[f"true {name}"] for name in labels]).astype(np.int8)
    return Outcome(targets.T, np.array([columns[f"score {name}"] for name in labels]).astype(float).T)


def _probable(columns: _Columns, labels: Sequence[str], outcome: Outcome) -> Outcome | None:
    names = [f"probability {name}" for name in labels] or [TRUE, OTHERS]
    if not all(name in columns for name in names):
        return None
    targets = outcome.targets if labels else np.zeros(len(outcome.targets), np.int64)
    return Outcome(targets, np.array([columns[name] for name in names]).astype(float).T)


def _taken(outcome: Outcome, rows: np.ndarray, groups: np.ndarray | None) -> Outcome:
    return Outcome(outcome.targets[rows], outcome.scores[rows], groups)


def why_unpaired(one: Predictions, other: Predictions) -> str:
    """Return in words why two tables cannot be compared test by test; empty if they can."""
    if one.kind != other.kind:
        kinds = " and ".join(KINDS[table.kind] for table in (one, other))
        return f"their tests are of different kinds: {kinds}"
    if one.kind == "labels" and one.classes != other.classes:
        missing = sorted({*one.classes} ^ {*other.classes})
        return f"their labels differ ({listed(missing)})" if missing else "their labels are in another order"
    mine, theirs = ({id for fold in table.ids for id in fold} for table in (one, other))
    if mine != theirs:
        common = len(mine & theirs)
        counts = f"{len(mine):,} and {len(theirs):,}, {common:,} of them in both"
        return f"they were not tested on the same images: {counts}"
    if len(one.ids) != len(other.ids) or (paired(one, other) is None and _have_other_folds(one, other)):
        return f"they have other folds: {len(one.ids)} and {len(other.ids)}, or not the same images in each"
    return "" if paired(one, other) else "some of the images have another true label"


def _have_other_folds(one: Predictions, other: Predictions) -> bool:
    return any(sorted(mine) != sorted(theirs) for mine, theirs in zip(one.ids, other.ids, strict=True))


Pair = tuple[tuple[Outcome, ...], tuple[Outcome, ...]]


def paired(one: Predictions, other: Predictions) -> Pair | None:
    """Return outcomes for the same test images in the order of the first; None if the images or labels differ."""
    found = _aligned(one, other)
    return found and (found[0].outcomes, found[1].outcomes)


def paired_probabilities(one: Predictions, other: Predictions) -> Pair | None:
    """Return the same in probabilities (`Predictions.probable`); None also if a table holds none."""
    found = _aligned(one, other)
    return (found[0].probable, found[1].probable) if found and one.probable and other.probable else None


def _aligned(one: Predictions, other: Predictions) -> tuple[Predictions, Predictions] | None:
    """Return tables of the same tests in the order of the first, with one numbering of classes, or None."""
    if one.kind == other.kind == "class" and one.classes != other.classes:
        together = sorted({*one.classes, *other.classes})
        one, other = one.among(together), other.among(together)
    rows = _same_images(one, other) if one.kind == other.kind and one.classes == other.classes else None
    if rows is None:
        return None
    outcomes, probable = (_ordered(each, rows, one.outcomes) for each in (other.outcomes, other.probable))
    if any((mine.targets != theirs.targets).any() for mine, theirs in zip(one.outcomes, outcomes, strict=True)):
        return None
    return one, Predictions(one.classes, one.ids, outcomes, probable)


def _same_images(one: Predictions, other: Predictions) -> list[np.ndarray] | None:
    """Return the rows of the first table's images in the other one, fold by fold; None unless they are the same."""
    if list(map(sorted, one.ids)) != list(map(sorted, other.ids)):
        return None
    places = [{name: row for row, name in enumerate(ids)} for ids in other.ids]
    return [np.array([place[name] for name in ids]) for ids, place in zip(one.ids, places, strict=True)]


def _ordered(outcomes: Sequence[Outcome], rows: Sequence[np.ndarray], like: Sequence[Outcome]) -> tuple[Outcome, ...]:
    """Return outcomes by fold, with their rows in an order and the groups of others; none of none."""
    if not outcomes:
        return ()
    return tuple(_taken(one, at, mine.groups) for one, at, mine in zip(outcomes, rows, like, strict=True))
