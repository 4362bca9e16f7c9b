"""What one layer's features scored: the outcomes on test images, and every number that follows from them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from offshelf.classifier import Curve, FitResult
from offshelf.evaluation.probable import probable_outcomes
from offshelf.evaluation.spectra import Spectrum
from offshelf.metric import (
    METRICS,
    PROBABILITY_METRICS,
    Bootstrap,
    LabelKind,
    Metric,
    Outcome,
    by_class,
    mean_of_known,
    metrics_of,
    probability_metrics_of,
)
from offshelf.postprocess import Transformer, transform


@dataclass(frozen=True, eq=False)
class Score:
    """Score of one layer's features: a fit and its outcome on the test images per fold."""

    name: str
    """Name of the layer."""
    dims: int
    """Dimensions of its features."""
    metric: str
    """The protocol's official metric, by which the hyperparameter is chosen too."""
    fits: tuple[FitResult, ...]
    outcomes: tuple[Outcome, ...]
    seconds: float
    """Time for choosing the hyperparameter, fitting and scoring."""
    bootstrap: Bootstrap = field(default_factory=lambda: Bootstrap(0))
    transformers: tuple[Transformer, ...] = ()
    """Transforms fitted to the training features of each fold."""
    test_transformers: tuple[Transformer, ...] = ()
    """Those of the test images; the same, but for steps that transform test images by their own statistics."""
    draws: int = 1
    """Number of draws of the training images; the folds are those of one draw after the other."""
    tests: tuple[int, ...] | None = None
    """Number of the test images of each fold, see `Bootstrap`; None if they are all different."""
    spectrum: Spectrum | None = None
    """Of the layer's training features, if it was asked for."""
    leaked: tuple[np.ndarray, ...] = ()
    """Which test images of each fold are known from training: bool [M] each; empty if it was not looked for."""

    def seen(self, values_NVD: np.ndarray, is_tested_N: np.ndarray, fold: int = 0) -> np.ndarray:
        """Return features, [N, V, D], as the classifier of a fold sees them, the mean over views: [N, E].

        Args:
            values_NVD: Features of this layer.
            is_tested_N: Which are of test images of the fold.
            fold: Number of the fold.
        """
        fitted, tested = self.transformers[fold], self.test_transformers[fold]
        found: np.ndarray = transform(fitted, values_NVD).mean(axis=1)
        if tested is not fitted and is_tested_N.any():
            found[is_tested_N] = transform(tested, values_NVD[is_tested_N]).mean(axis=1)
        return found

    @cached_property
    def confusion(self) -> np.ndarray | None:
        """Confusion matrix over the test images of all folds, int64 [K, K]; None with several labels, or numbers."""
        if self.kind != "class":
            return None
        return np.sum([outcome.confusion() for outcome in self.outcomes], axis=0)

    @property
    def kind(self) -> LabelKind:
        """What the images are labelled with."""
        return self.outcomes[0].kind

    @property
    def is_multilabel(self) -> bool:
        """Whether an image can have several labels, or none."""
        return self.kind == "labels"

    @cached_property
    def by_class(self) -> dict[str, np.ndarray]:
        """Metrics per class, float64 [K] each, NaN without test images; empty for numbers.

        Accuracy is taken over the test images of all folds together. Average precision and the area under the ROC
        curve rank the scores of one fold, so they are averaged over folds, as are metrics of labels' probabilities.
        """
        if self.kind == "number":
            return {}
        means = _mean_by_class(self.outcomes, METRICS)
        if self.has_probabilities:
            means |= _mean_by_class(self.probable["reported"], PROBABILITY_METRICS)
        targets, scores = (
            np.concatenate([getattr(one, name) for one in self.outcomes]) for name in ("targets", "scores")
        )
        return means | {"accuracy": by_class(Outcome(targets, scores))["accuracy"]}

    @cached_property
    def by_draw(self) -> np.ndarray:
        """The official metric of each draw of the training images, the mean over its folds: float64 [draws]."""
        by_fold = np.array([METRICS[self.metric](outcome)[0] for outcome in self.outcomes])
        return by_fold.reshape(self.draws, -1).mean(axis=1)

    @property
    def parameter(self) -> str:
        """Name of the classifier's hyperparameter."""
        return self.fits[0].parameter

    @cached_property
    def curve(self) -> Curve | None:
        """Validation curve of the hyperparameter over the inner folds of all folds; None if the value was given."""
        curves = [fit.curve for fit in self.fits if fit.curve]
        return Curve.joined(curves) if curves else None

    @property
    def gap(self) -> float | None:
        """Largest relative duality gap of the fits; None without a certificate."""
        return max((fit.gap for fit in self.fits if fit.gap is not None), default=None)

    @property
    def svm_method(self) -> str | None:
        """Different `FitResult.svm_method` of the folds, joined by semicolons; None for other classifiers than SVMs."""
        return "; ".join(dict.fromkeys(fit.svm_method for fit in self.fits if fit.svm_method)) or None

    @cached_property
    def metrics(self) -> Mapping[str, float]:
        """All numbers under the names used in MLflow and metrics.json; with several folds their means.

        Undefined numbers, such as a mean over labels that no test image has, are left out.
        """
        spectrum = self.spectrum.metrics if self.spectrum else {}
        numbers = {**self._test(), **self._without_leaks(), **self._cv(), **spectrum, **fit_cost([self])}
        return {name: number for name, number in numbers.items() if not np.isnan(number)}

    @property
    def has_probabilities(self) -> bool:
        """Whether the classifier gives probabilities."""
        return all(fit.calibration for fit in self.fits)

    @cached_property
    def probable(self) -> Mapping[str, tuple[Outcome, ...]]:
        """Outcomes in probabilities of classes, `reported` and `uncalibrated`: see `probable_outcomes`."""
        return probable_outcomes(self.fits, self.outcomes)

    def _test(self) -> dict[str, float]:
        numbers: dict[str, float] = {}
        for name, metric in metrics_of(self.kind).items():
            numbers |= self._measured(name, metric, self.outcomes)
        for kind, outcomes in self.probable.items():
            for name, metric in probability_metrics_of(self.kind).items():
                numbers |= self._measured(name, metric, outcomes, "" if kind == "reported" else f"_{kind}")
        return numbers

    def _without_leaks(self) -> dict[str, float]:
        """Return the official metric without the test images that leak, and its interval, if there are any."""
        if not any(leaked.any() for leaked in self.leaked):
            return {}
        kept = [_chosen(one, ~leaked) for one, leaked in zip(self.outcomes, self.leaked, strict=True)]
        if not all(len(one.targets) for one in kept):
            return {}
        key = f"test_without_leaks/{self.metric}"
        numbers = {key: float(np.mean([METRICS[self.metric](one)[0] for one in kept]))}
        interval = self.bootstrap.interval(self.metric, kept, self.tests)
        return numbers | ({f"{key}_low": interval.low, f"{key}_high": interval.high} if interval else {})

    def _measured(self, name: str, metric: Metric, outcomes: Sequence[Outcome], suffix: str = "") -> dict[str, float]:
        """Return a test metric, its deviation over folds or draws, and its interval, which a biased metric lacks."""
        by_fold, key = np.array([metric(outcome)[0] for outcome in outcomes]), f"test/{name}{suffix}"
        numbers = {key: float(np.mean(by_fold))}
        if len(by_fold) > 1:
            by_draw = by_fold.reshape(self.draws, -1).mean(axis=1)
            numbers[f"{key}_std"] = float(np.std(by_draw if self.draws > 1 else by_fold))
        interval = None if metric.is_biased else self.bootstrap.interval(name, outcomes, self.tests)
        if interval:
            numbers |= {f"{key}_low": interval.low, f"{key}_high": interval.high}
        return numbers

    def _cv(self) -> dict[str, float]:
        geometric_mean = float(np.exp(np.mean([np.log(fit.value) for fit in self.fits])))
        chosen = {f"cv/{self.parameter}": geometric_mean}
        held_out = [fit.held_out for fit in self.fits if fit.held_out is not None]
        if not held_out:
            return chosen
        by_value = dict(zip(self.curve.values, self.curve.mean, strict=True)) if self.curve else {}
        known = [scores[~np.isnan(scores)] for scores in held_out if not np.isnan(scores).all()]
        if known:
            chosen[f"cv/{self.metric}"] = float(np.mean([scores.mean() for scores in known]))
            chosen[f"cv/{self.metric}_std"] = float(np.mean([scores.std() for scores in known]))
        return chosen | {
            f"cv/{self.metric}_{self.parameter}_{value:g}": float(mean) for value, mean in by_value.items()
        }


def _chosen(outcome: Outcome, rows: np.ndarray) -> Outcome:
    groups = None if outcome.groups is None else outcome.groups[rows]
    return Outcome(outcome.targets[rows], outcome.scores[rows], groups)


def _mean_by_class(outcomes: Sequence[Outcome], metrics: Mapping[str, Metric]) -> dict[str, np.ndarray]:
    folds = [by_class(outcome, metrics) for outcome in outcomes]
    return {name: mean_of_known(np.array([fold[name] for fold in folds]), axis=0) for name in folds[0]}


def fit_cost(scores: Sequence[Score]) -> dict[str, float]:
    """Return the total time of fits and, if known, the largest duality gap and the number of binary problems solved.

    `fit/unconverged` counts the fits that stopped before their optimum, if there are any.
    """
    seconds = float(sum(score.seconds for score in scores))
    cost = {"cost/fit_seconds": seconds}
    gaps = [score.gap for score in scores if score.gap is not None]
    if gaps:
        cost["fit/dual_gap"] = max(gaps)
    unconverged = sum(fit.unconverged for score in scores for fit in score.fits)
    if unconverged:
        cost["fit/unconverged"] = float(unconverged)
    problems = [fit.problems for score in scores for fit in score.fits if fit.problems is not None]
    if problems:
        cost["fit/problems"] = float(sum(problems))
        cost["cost/fit_problems_per_second"] = sum(problems) / seconds
    return cost
