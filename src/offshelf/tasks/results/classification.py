"""Result of the task `classify`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from typing_extensions import override

from offshelf.dataset import ImageSet, LeftOut
from offshelf.evaluation.learning_curve import CurvePoint, LearningCurve, LearningCurves, choose
from offshelf.evaluation.score import Score
from offshelf.evaluation.spectra import Spectra
from offshelf.metric import Outcome
from offshelf.model import Model
from offshelf.report import (
    layer_columns,
    learning_curve_table,
    metric_columns,
    other_numbers,
    predictions,
    probability_line,
    remarks,
    score_table,
    spectrum_table,
)
from offshelf.tasks.results.result import RunResult
from offshelf.terminal import Line

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True, eq=False)
class ImagePredictions:
    """Predictions for the test images, fold after fold. An image that several folds test occurs once per fold."""

    classes: tuple[str, ...]
    """Names of the K classes, or labels; or one name, what the numbers are."""
    ids: tuple[str, ...]
    """Ids of the N images."""
    folds: np.ndarray = field(repr=False)
    """Fold of each row: int64 [N]."""
    targets: np.ndarray = field(repr=False)
    """True class numbers, int64 [N]; with several labels int8 [N, K] of 1 (yes), -1 (no) and 0 (not counted); or true
    numbers, float64 [N]."""
    scores: np.ndarray = field(repr=False)
    """Scores of the classes: float64 [N, K]; or predicted numbers, [N, 1]."""

    @property
    def predicted(self) -> np.ndarray | None:
        """Class numbers with the highest score, int64 [N], or numbers, float64 [N]; None with several labels."""
        outcome = Outcome(self.targets, self.scores)
        return None if outcome.is_multilabel else outcome.predictions


@dataclass(frozen=True, kw_only=True, eq=False)
class ClassificationResult(RunResult):
    """Scores of one or several layers, and the model of the chosen one."""

    images: ImageSet = field(repr=False)
    """The images that were used."""
    scores: tuple[Score, ...] = field(repr=False)
    """One per layer, from input to output."""
    baselines: tuple[Score, ...] = field(repr=False)
    """Scores of the baseline; empty with a single layer."""
    chosen: Score = field(repr=False)
    """Score of the reported layer, which cross-validation on the training images chose."""
    learning_curves: LearningCurves | None = field(default=None, repr=False)
    """Numbers of each layer and of the baseline at each training size; None if the training images are not drawn."""
    spectra: Spectra | None = field(default=None, repr=False)
    """Spectra of the layers' training features, and the similarity of the layers; None without `spectrum`."""
    model: Model | None = field(repr=False)
    """Model of the reported layer, fitted on the first fold; None for a classifier that cannot be stored as data."""
    model_note: str = field(repr=False)
    """A sentence: where the model is kept, or why it is not; empty if keeping it was not asked for."""

    @property
    def layer(self) -> str:
        """Name of the reported layer."""
        return self.chosen.name

    @property
    @override
    def objective(self) -> float:
        return self.chosen.metrics[f"test/{self.images.metric}"]

    @property
    def points(self) -> Sequence[CurvePoint]:
        """Numbers of each layer at each training size, layer after layer; empty if no training images are drawn."""
        return self.learning_curves.points if self.learning_curves else ()

    @property
    def learning_curve(self) -> LearningCurve | None:
        """The scores of the reported layer by training size, and their extrapolation; None without several sizes."""
        curves = self.learning_curves
        return curves.chosen if curves and curves.has_several else None

    @override
    def columns(self) -> dict[str, list[Any]]:
        """A row per layer (and training size), then the baseline's: layer, dims (shots or fractions), every metric."""
        if not self.learning_curves:
            return layer_columns([*self.scores, *self.baselines])
        found = [*self.scores, *self.baselines]
        dims = {score.name: score.dims for score in found}
        points = [*self.points, *self.learning_curves.baseline_points]
        columns = metric_columns(points)
        names = columns.pop("layer")
        sizes = {point.size.unit: [one.size.value for one in points] for point in points[:1]}
        return {"layer": names, "dims": [dims[name] for name in names], **sizes, **columns}

    @override
    def to_dict(self) -> dict[str, Any]:
        return {**super().to_dict(), "dataset": self.images.name, "metric": self.images.metric, "layer": self.layer}

    @cached_property
    def predictions(self) -> ImagePredictions:
        """Predictions of the reported layer for the test images."""
        folds = self.images.folds
        rows = np.concatenate([fold.test for fold in folds])
        return ImagePredictions(
            tuple(self.images.classes),
            tuple(self.images.samples[row].id for row in rows),
            np.repeat(np.arange(len(folds)), [len(fold.test) for fold in folds]),
            np.concatenate([outcome.targets for outcome in self.chosen.outcomes]),
            np.concatenate([outcome.scores for outcome in self.chosen.outcomes]),
        )

    def predictions_table(self) -> "DataFrame":
        """Return the columns of predictions.csv: fold, id, true and predicted class or number, or scores of labels."""
        import pandas

        return pandas.DataFrame(predictions(self.chosen, self.images))

    @override
    def lines(self) -> list[Line]:
        title, left_out = self.run.title, self.run.left_out
        table = score_lines(
            self.scores, self.baselines, self.chosen, title, self.images, left_out, self.learning_curves
        )
        ranks = [spectrum_table(self.spectra, self.baselines)] if self.spectra else []
        return [*ranks, *table, *self.closing()]

    @override
    def closing(self) -> list[Line]:
        return [self.model_note, self.run.whereabouts]


def score_lines(
    scores: Sequence[Score],
    baselines: Sequence[Score],
    chosen: Score,
    title: str,
    images: ImageSet,
    left_out: Sequence[LeftOut],
    curves: LearningCurves | None = None,
) -> list[Line]:
    """Return the table of scores, and what is to be known about it."""
    return [
        score_table(scores, baselines, chosen, title),
        other_numbers(chosen),
        *(_learning_curve_lines(curves, images) if curves else []),
        probability_line(chosen),
        *remarks(scores, chosen, images, left_out, curves),
    ]


def _learning_curve_lines(curves: LearningCurves, images: ImageSet) -> list[Line]:
    """Return the scores by training size, and why they are not extrapolated."""
    if not curves.has_several:
        return []
    chosen = [choose([one for one in curves.points if one.size is size]) for size in images.sizes]
    title = f"{curves.chosen.name}, by the number of training images"
    return [learning_curve_table(curves.chosen, chosen, title), curves.chosen.refusal]
