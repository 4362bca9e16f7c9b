"""Confusion matrices of runs: the strongest confusions as a table, and the whole matrix as a figure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from offshelf.errors import ConfigError
from offshelf.metric import Bootstrap
from offshelf.report import Sheet, confusion_figure
from offshelf.study.reading import Number, Reading
from offshelf.study.study import Column, Study, StudyRow
from offshelf.study.table import NOT_RUN, UNKNOWN
from offshelf.tracking.mlflow.reading import TrackedRuns

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LISTED = 15
"""Largest number of confusions of a run in the table."""
DIAGONAL = Column("mean of the diagonal", "mean_class_accuracy")


@dataclass(frozen=True, eq=False)
class Confusion:
    """Confusion matrix of a run."""

    row: StudyRow
    classes: Sequence[str]
    counts: np.ndarray
    """Numbers of test images of all folds, int64 [K, K]: a row per true class, a column per predicted class."""
    diagonal: Number
    """Mean of the diagonal of the row-normalised matrix, which is the mean class accuracy."""

    def strongest(self) -> list[tuple[str, str, int, int]]:
        """Return the most frequent confusions, by their share of the true class, largest first.

        Each is the true class, the predicted class, the number of images, and that of all images of the true class.
        """
        totals = self.counts.sum(axis=1)
        off_diagonal = self.counts * (1 - np.eye(len(totals), dtype=int))
        pairs = [(int(true), int(predicted)) for true, predicted in np.argwhere(off_diagonal)]
        pairs.sort(key=lambda pair: (-off_diagonal[pair] / totals[pair[0]], pair))
        return [
            (self.classes[true], self.classes[predicted], int(off_diagonal[true, predicted]), int(totals[true]))
            for true, predicted in pairs[:LISTED]
        ]

    def figure(self) -> "Figure":
        """Return the row-normalised matrix as a heat map."""
        return confusion_figure(self.counts, self.classes, self.row.name)


def confusions(study: Study, runs: TrackedRuns, bootstrap: Bootstrap) -> list[Confusion | None]:
    """Return a confusion matrix per row of the study; None for rows that were not run.

    Raises:
        ConfigError: a run has several labels per image.
        TrackingError: a run kept no predictions.
    """
    return [_confusion(row, runs, bootstrap) for row in study.rows]


def _confusion(row: StudyRow, runs: TrackedRuns, bootstrap: Bootstrap) -> Confusion | None:
    run = runs.named(row.run)
    if run is None:
        return None
    reading = Reading(run, bootstrap)
    outcomes = reading.predictions.outcomes
    if outcomes[0].kind != "class":
        what = "several labels per image" if outcomes[0].is_multilabel else "numbers"
        raise ConfigError(f"The run '{run.name}' has {what}, which have no confusion matrix.")
    counts = np.sum([outcome.confusion() for outcome in outcomes], axis=0)
    return Confusion(row, reading.predictions.classes, counts, reading.number(DIAGONAL))


def confusion_sheet(study: Study, found: Sequence[Confusion | None]) -> Sheet:
    """Return a table of the strongest confusions of each run."""
    rows = []
    for row, confusion in zip(study.rows, found, strict=True):
        if confusion is None:
            rows.append([row.name, NOT_RUN, *[UNKNOWN] * 3])
            continue
        rows += [
            [row.name, true, predicted, f"{images} of {total}", f"{100 * images / total:.1f}"]
            for true, predicted, images, total in confusion.strongest()
        ]
    notes = [_diagonal(confusion) for confusion in found if confusion]
    missing = [row.name for row, confusion in zip(study.rows, found, strict=True) if confusion is None]
    notes += [f"Not run, so that there is no number of ours: {'; '.join(missing)}."] if missing else []
    return Sheet(study.title, ["run", "true", "taken for", "images", "percent"], rows, [*notes, *study.notes])


def confusion_cells(found: Sequence[Confusion | None]) -> dict[str, list[Any]]:
    """Return all cells of the matrices that are not 0, with the columns run, true, predicted and images."""
    cells = [
        (
            confusion.row.name,
            confusion.classes[true],
            confusion.classes[predicted],
            int(confusion.counts[true, predicted]),
        )
        for confusion in found
        if confusion
        for true, predicted in np.argwhere(confusion.counts)
    ]
    return {name: [cell[place] for cell in cells] for place, name in enumerate(("run", "true", "predicted", "images"))}


def _diagonal(confusion: Confusion) -> str:
    half = "" if confusion.diagonal.half is None else f" ± {confusion.diagonal.half:.1f}"
    return f"{confusion.row.name}: the mean of the diagonal is {confusion.diagonal.value:.1f}{half} percent."
