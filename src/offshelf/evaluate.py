"""From features to numbers: fit on each fold's training images, score once on its test images."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from offshelf.classifier import Classifier, Curve, Fit
from offshelf.dataset import ImageSet
from offshelf.metric import METRICS, confusion_matrix
from offshelf.postprocess import Transformer, fit_transform


@dataclass(frozen=True, eq=False)
class Score:
    """What one layer's features are worth: a fit and a confusion matrix for each fold."""

    name: str
    """The layer's name."""
    dims: int
    fits: tuple[Fit, ...]
    confusions: tuple[np.ndarray, ...]
    """int64 [K, K] each: rows true classes, columns predicted ones."""
    seconds: float
    """Choosing the hyperparameter, fitting and scoring."""

    @cached_property
    def confusion(self) -> np.ndarray:
        """Counts over the test images of all folds: int64 [K, K]."""
        return np.sum(self.confusions, axis=0)

    @property
    def parameter(self) -> str:
        """The classifier's hyperparameter."""
        return self.fits[0].parameter

    @cached_property
    def curve(self) -> Curve | None:
        """How it was chosen, over the inner folds of all folds; None where it was given."""
        curves = [fit.curve for fit in self.fits if fit.curve]
        return Curve.joined(curves) if curves else None

    @property
    def gap(self) -> float | None:
        """Largest relative duality gap of its fits; None where no certificate is known."""
        return max((fit.gap for fit in self.fits if fit.gap is not None), default=None)

    @cached_property
    def metrics(self) -> Mapping[str, float]:
        """All numbers under the names that go to MLflow and metrics.json; with several folds their means."""
        return {**self._test(), **self._cv(), **fit_cost([self])}

    def _test(self) -> dict[str, float]:
        by_fold = {name: [metric(fold) for fold in self.confusions] for name, metric in METRICS.items()}
        means = {f"test/{name}": float(np.mean(values)) for name, values in by_fold.items()}
        if len(self.confusions) == 1:
            return means
        return means | {f"test/{name}_std": float(np.std(values)) for name, values in by_fold.items()}

    def _cv(self) -> dict[str, float]:
        geometric_mean = float(np.exp(np.mean([np.log(fit.value) for fit in self.fits])))
        chosen = {f"cv/{self.parameter}": geometric_mean}
        if not self.curve:
            return chosen
        by_value = dict(zip(self.curve.values, self.curve.mean, strict=True))
        at = [(fit.curve, fit.curve.values.index(fit.value)) for fit in self.fits if fit.curve]
        chosen["cv/accuracy"] = float(np.mean([curve.mean[place] for curve, place in at]))
        chosen["cv/accuracy_std"] = float(np.mean([curve.std[place] for curve, place in at]))
        return chosen | {f"cv/accuracy_{self.parameter}_{value:g}": float(mean) for value, mean in by_value.items()}


def fit_cost(scores: Sequence[Score]) -> dict[str, float]:
    """What all fits together took and, where known, their largest duality gap and the binary problems solved."""
    seconds = float(sum(score.seconds for score in scores))
    cost = {"cost/fit_seconds": seconds}
    gaps = [score.gap for score in scores if score.gap is not None]
    if gaps:
        cost["fit/dual_gap"] = max(gaps)
    problems = [fit.problems for score in scores for fit in score.fits if fit.problems is not None]
    if problems:
        cost["fit/problems"] = float(sum(problems))
        cost["cost/fit_problems_per_second"] = sum(problems) / seconds
    return cost


def evaluate(
    name: str, values_NVD: np.ndarray, images: ImageSet, postprocess: Transformer, classifier: Classifier
) -> Score:
    """Score one layer's features, [N, V, D] in the order of the samples, by the data set's folds.

    Everything that is chosen or learnt (the hyperparameter, the transforms) sees training images only; the test images
    are read once.
    """
    start = time.perf_counter()
    fits, confusions = [], []
    for fold in images.folds:
        train, test = fit_transform(postprocess, values_NVD[fold.train], values_NVD[fold.test])
        fit = classifier.fit(train, images.targets[fold.train])
        predictions = fit.predict(test)
        fits.append(fit)
        confusions.append(confusion_matrix(images.targets[fold.test], predictions, len(images.classes)))
    seconds = time.perf_counter() - start
    return Score(name, values_NVD.shape[-1], tuple(fits), tuple(confusions), seconds)
