"""The choice of one hyperparameter from a grid: by offshelf's own search, or by the estimator's."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from inspect import signature
from typing import Any

import numpy as np

from offshelf.classifier.classifier import Curve
from offshelf.classifier.convergence import Convergence
from offshelf.classifier.duality_gap import duality_gap
from offshelf.classifier.folds import of_rows
from offshelf.classifier.grid import Scoring
from offshelf.classifier.search import cross_validate, fit
from offshelf.classifier.view import class_scores, rows
from offshelf.errors import ConfigError
from offshelf.metric import METRICS, Outcome
from offshelf.svm.cross_validation import Split
from offshelf.svm.fusion import Fusion


@dataclass(frozen=True)
class Grid:
    """An estimator, the values of one of its parameters, and how one of them is chosen."""

    estimator: Any
    parameter: str
    key: str
    """The estimator's name of the parameter, or of that for the whole grid."""
    values: tuple[float, ...]
    """The most regularised first."""
    one_standard_error: bool
    fusion: Fusion
    folds: int
    seed: int
    validate: bool


@dataclass(frozen=True, eq=False)
class Training:
    """Training images of one fold of the data set."""

    values_NVD: np.ndarray
    targets: np.ndarray
    """As in Outcome: [N] or [N, K]."""
    metric: str
    splits: Sequence[Split]
    """Folds of cross-validation; empty where nothing is to be chosen."""
    groups: np.ndarray | None = None
    """Images of a group are on one side of a split: [N]."""

    @property
    def views(self) -> int:
        """Number of views of an image."""
        return self.values_NVD.shape[1]


@dataclass(frozen=True, eq=False)
class Choice:
    """A value of the hyperparameter, and the estimator fitted with it to all training images."""

    fitted: Any
    value: float
    curve: Curve | None = None
    """The metric on the held-out images by value; None where a single value was given."""
    held_out: np.ndarray | None = None
    """The metric of the value on the held-out images: float64 [folds]."""


@dataclass(frozen=True, eq=False)
class Search:
    """offshelf's own search: a fit per value and fold."""

    grid: Grid
    training: Training
    convergence: Convergence
    """Is told about each fit."""

    def choose(self) -> Choice:
        """Choose a value, and fit with it to all images.

        Raises:
            ConfigError: The metric is not defined on the held-out images of any fold.
        """
        grid, training = self.grid, self.training
        if len(grid.values) == 1:
            return Choice(self._whole(0), grid.values[0])
        scores = cross_validate(self._candidates, self._exact, training.targets, self._measure, training.splits)
        curve = Curve(grid.parameter, grid.values, scores)
        if not curve.known.shape[1]:
            raise ConfigError(
                f"{training.metric} is not defined on the held-out images of any fold, so that {grid.parameter} cannot "
                f"be chosen: set fewer classifier.folds, or one classifier.{grid.parameter}."
            )
        value = curve.simplest if grid.one_standard_error else curve.best
        row = grid.values.index(value)
        return Choice(self._whole(row), value, curve, scores[row])

    @cached_property
    def _exact(self) -> np.ndarray:
        return self.training.values_NVD.astype(np.float64)  # scikit-learn's linear models converge badly in float32

    @cached_property
    def _candidates(self) -> list[Any]:
        from sklearn.base import clone

        found = [clone(self.grid.estimator).set_params(**{self.grid.key: value}) for value in self.grid.values]
        if self.training.targets.ndim == 1:
            return found
        from offshelf.classifier.label import EachLabel

        return [EachLabel(candidate) for candidate in found]

    def _whole(self, row: int) -> Any:
        fitted = fit(self._candidates[row], self._exact, self.training.targets)
        self.convergence.gap = self._gap(fitted, slice(None))
        self.convergence.look(fitted, self.grid.values[row], "all training images", self.convergence.gap)
        return fitted

    def _measure(self, fitted: Any, values_MVD: np.ndarray, truth: np.ndarray, place: tuple[int, int]) -> float:
        found = self._gap(fitted, self.training.splits[place[1]][0])
        self.convergence.look(fitted, self.grid.values[place[0]], f"fold {place[1] + 1}", found)
        scores = class_scores(fitted, values_MVD, self.grid.fusion)
        return float(METRICS[self.training.metric](Outcome(truth, scores))[0])

    def _gap(self, fitted: Any, images: np.ndarray | slice) -> float | None:
        targets = np.repeat(self.training.targets[images], self.training.views, axis=0)
        return duality_gap(fitted, rows(self._exact[images]), targets)


def let_choose(grid: Grid, training: Training) -> tuple[Choice, tuple[float, ...]]:
    """Let an estimator with a parameter for the whole grid choose. Returns the values that it left out too."""
    from sklearn.base import clone

    chooser = clone(grid.estimator)
    chooser.set_params(**_settings(grid, training, chooser))
    chooser.fit(rows(training.values_NVD), **_data(training, chooser))
    # If each class has its own value, their geometric mean represents them.
    mean = float(np.exp(np.mean(np.log(getattr(chooser, f"{grid.parameter}_")))))
    value = min(grid.values, key=lambda one: abs(np.log(one / mean)))
    if len(grid.values) == 1:
        return Choice(chooser, value, held_out=getattr(chooser, "held_out_score_", None)), ()
    tried = np.asarray(chooser.cv_results_.get(grid.parameter, grid.values)).tolist()
    folds = range(len(training.splits))
    scores = np.stack([chooser.cv_results_[f"split{fold}_test_score"] for fold in folds], axis=1)
    curve = Curve(grid.parameter, tuple(tried), scores)
    return Choice(chooser, value, curve, chooser.held_out_score_), tuple(sorted(set(grid.values) - set(tried)))


def _settings(grid: Grid, training: Training, chooser: Any) -> dict[str, Any]:
    folds: Any = len(training.splits) or grid.folds
    if training.groups is not None and training.splits and not _takes_clusters(chooser):
        folds = of_rows(training.splits, _images(training))
    search = {"cv": folds, "one_standard_error": grid.one_standard_error, "random_state": grid.seed}
    ours: dict[str, Any] = {"fusion": grid.fusion}
    ours |= {"warn_at_edge": False, "validate": grid.validate}  # the run reports the edge
    known = {name: value for name, value in ours.items() if name in chooser.get_params()}
    return {grid.key: grid.values, "scoring": Scoring(training.metric, chooser), **search, **known}


def _data(training: Training, chooser: Any) -> dict[str, Any]:
    labels = np.repeat(training.targets, training.views, axis=0)
    several = {"y": (labels > 0).astype(np.int8), "sample_weight": (labels != 0).astype(np.float64)}
    data: dict[str, Any] = several if labels.ndim == 2 else {"y": labels}
    if training.groups is not None and _takes_clusters(chooser):
        data["clusters"] = np.repeat(training.groups, training.views)
    return data | {"groups": _images(training)}


def _images(training: Training) -> np.ndarray:
    """Return the image of each row: [N * V]."""
    return np.repeat(np.arange(len(training.targets)), training.views)


def _takes_clusters(chooser: Any) -> bool:
    return "clusters" in signature(chooser.fit).parameters
