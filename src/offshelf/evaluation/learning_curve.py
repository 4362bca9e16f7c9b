"""Learning curves: the score of a layer by the size of the training set, and its extrapolation."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import TypeVar

import numpy as np

from offshelf.dataset import TrainingSize
from offshelf.dataset.imageset import size_name
from offshelf.evaluation.score import Score
from offshelf.metric import METRICS, Interval
from offshelf.metric.power_law import FEWEST_DRAWS, FEWEST_SIZES, PowerLaw

Judged = TypeVar("Judged", Score, "CurvePoint")

FACTORS = (2, 4)
"""Multiples of the largest training size to extrapolate to."""


@dataclass(frozen=True, eq=False)
class CurvePoint:
    """The numbers of one layer at one training size, without the outcomes, which would fill the memory."""

    name: str
    """Name of the layer."""
    size: TrainingSize
    metric: str
    """Name of the official metric."""
    metrics: Mapping[str, float]
    """All metrics."""
    by_draw: np.ndarray
    """The official metric of each draw: float64 [draws]."""
    unchosen: tuple[str, float] | None
    """Name and value of a hyperparameter that should have been chosen, but could not be in all draws."""

    @staticmethod
    def of(score: Score, size: TrainingSize) -> "CurvePoint":
        """Return the numbers of a score."""
        unchosen = next(((fit.parameter, fit.value) for fit in score.fits if fit.is_unchosen), None)
        return CurvePoint(score.name, size, score.metric, score.metrics, score.by_draw, unchosen)

    @property
    def value(self) -> float:
        """The official metric on the test images, the mean over draws."""
        return self.metrics[f"test/{self.metric}"]

    @property
    def deviation(self) -> float | None:
        """Standard deviation over draws; None if there is one draw."""
        return float(np.std(self.by_draw)) if len(self.by_draw) > 1 else None


@dataclass(frozen=True)
class Extrapolation:
    """A metric that the learning curve predicts for a training size that was not tried."""

    name: str
    """The size in words."""
    value: float
    """The size: shots, or a multiple of the training images."""
    predicted: float
    interval: Interval
    """Its error band, see `PowerLaw`."""


@dataclass(frozen=True, eq=False)
class LearningCurve:
    """The scores of one layer at all training sizes, from the smallest to the largest."""

    points: tuple[CurvePoint, ...]

    @property
    def name(self) -> str:
        """Name of the layer."""
        return self.points[0].name

    @property
    def sizes(self) -> np.ndarray:
        """Mean numbers of training images: float64 [S]."""
        return np.array([point.size.images for point in self.points])

    @property
    def refusal(self) -> str:
        """Why the curve is not extrapolated, in a sentence; empty if it is."""
        draws = min((len(point.by_draw) for point in self._drawn), default=0)
        if len(self.points) >= FEWEST_SIZES and draws >= FEWEST_DRAWS and len(set(self.sizes)) == len(self.points):
            return ""
        return (
            f"Not extrapolated: this needs {FEWEST_SIZES} training sizes of different numbers of images in "
            f"{FEWEST_DRAWS} draws each; there are {len(self.points)} in {draws or 1}."
        )

    @cached_property
    def law(self) -> PowerLaw | None:
        """The fitted power law; None if there are too few sizes or draws."""
        if self.refusal:
            return None
        draws = max(len(point.by_draw) for point in self._drawn)
        kept = [point for point in self.points if len(point.by_draw) in (1, draws)]
        values_SR = np.array([np.broadcast_to(point.by_draw, draws) for point in kept])
        return PowerLaw.fit(np.array([point.size.images for point in kept]), values_SR)

    @cached_property
    def extrapolations(self) -> tuple[Extrapolation, ...]:
        """What is predicted for twice and four times the largest size; empty without a law."""
        law, last = self.law, self.points[-1].size
        if law is None:
            return ()
        return tuple(
            Extrapolation(
                size_name(factor * last.value, last.unit),
                factor * last.value,
                law(factor * last.images),
                law.interval(factor * last.images),
            )
            for factor in FACTORS
        )

    def needed(self, value: float) -> float | None:
        """Return the size (shots, or a fraction) at which the fitted curve reaches a value of the metric.

        None without a law, and where it is beyond four times the largest size: that far the curve says nothing.
        """
        last = self.points[-1].size
        times = self.law.size_for(value) / last.images if self.law else float("inf")
        return times * last.value if times <= FACTORS[-1] else None

    @property
    def metrics(self) -> Mapping[str, float]:
        """The metric at each size, and the extrapolated ones, under names for MLflow and metrics.json."""
        metric = self.points[0].metric
        numbers = {f"test/{metric}/{_key(point.size.name)}": point.value for point in self.points}
        for one in self.extrapolations:
            name = f"extrapolated/{metric}/{_key(one.name)}"
            numbers |= {name: one.predicted, f"{name}_low": one.interval.low, f"{name}_high": one.interval.high}
        return numbers

    @property
    def _drawn(self) -> Sequence[CurvePoint]:
        """The points with several draws; a fraction of 1 has one."""
        return [point for point in self.points if len(point.by_draw) > 1]


@dataclass(frozen=True, eq=False)
class LearningCurves:
    """The learning curves of a run whose training images are drawn; each is fitted once, wherever it is shown."""

    layers: tuple[LearningCurve, ...]
    """From input to output."""
    baselines: tuple[LearningCurve, ...]
    chosen: LearningCurve
    """That of the reported layer, one of `layers`."""

    @staticmethod
    def of(points: Sequence[CurvePoint], beside: Sequence[CurvePoint], layer: str) -> "LearningCurves | None":
        """Return the curves of layers and of the baseline, from their points in this order; None without points."""
        if not points:
            return None
        layers, baselines = (tuple(_by_layer(found)) for found in (points, beside))
        return LearningCurves(layers, baselines, next(curve for curve in layers if curve.name == layer))

    @property
    def points(self) -> list[CurvePoint]:
        """The numbers of each layer at each training size, layer after layer."""
        return [point for curve in self.layers for point in curve.points]

    @property
    def baseline_points(self) -> list[CurvePoint]:
        """Those of the baseline."""
        return [point for curve in self.baselines for point in curve.points]

    @property
    def has_several(self) -> bool:
        """Whether there are several training sizes."""
        return len(self.chosen.points) > 1


def _by_layer(points: Sequence[CurvePoint]) -> Iterator[LearningCurve]:
    for _, found in groupby(points, key=lambda point: point.name):
        yield LearningCurve(tuple(found))


def choose(scores: Sequence[Judged]) -> Judged:
    """Return the layer with the best cross-validated metric on training images; without cross-validation, the last one.

    Of equally good layers it is the last one too: where training images are so alike that an early layer already tells
    all of them apart, as those of one camera, a late layer is of more use for others.

    Test metrics are never used: the test images are for reporting.
    """
    by = f"cv/{scores[0].metric}"
    if all(by in score.metrics for score in scores):
        return max(reversed(scores), key=lambda score: score.metrics[by])
    return scores[-1]


def unchosen_line(points: Sequence[CurvePoint]) -> str:
    """Return a sentence on training sizes too small to choose the hyperparameter; empty if there are none."""
    found = [point for point in points if point.unchosen]
    if not found or not found[0].unchosen:
        return ""
    names = ", ".join(dict.fromkeys(point.size.name for point in found))
    parameter, value = found[0].unchosen
    is_number = METRICS[found[0].metric].kind == "number"
    why = "the numbers are too few, or equal" if is_number else "a class has one training image"
    return (
        f"With {names} {why}, so that {parameter} cannot be cross-validated: it is {value:g}, "
        f"the value nearest 1. Set another with classifier.{parameter}=…"
    )


def _key(name: str) -> str:
    """Return a size as part of a metric's name: `4_shots`, `10_percent`."""
    return name.replace(" %", "_percent").replace(" ", "_")
