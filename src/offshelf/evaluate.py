"""From features to numbers: fit on each fold's training images, score once on its test images."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from offshelf.classifier import Classifier, Fit
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
    """Choosing C, fitting and scoring."""

    @cached_property
    def confusion(self) -> np.ndarray:
        """Counts over the test images of all folds: int64 [K, K]."""
        return np.sum(self.confusions, axis=0)

    @cached_property
    def metrics(self) -> Mapping[str, float]:
        """All numbers under the names that go to MLflow and metrics.json; with several folds their means."""
        return {**self._test(), **self._cv(), "cost/fit_seconds": self.seconds}

    def _test(self) -> dict[str, float]:
        by_fold = {name: [metric(fold) for fold in self.confusions] for name, metric in METRICS.items()}
        means = {f"test/{name}": float(np.mean(values)) for name, values in by_fold.items()}
        if len(self.confusions) == 1:
            return means
        return means | {f"test/{name}_std": float(np.std(values)) for name, values in by_fold.items()}

    def _cv(self) -> dict[str, float]:
        chosen = {"cv/C": float(np.exp(np.mean([np.log(fit.C) for fit in self.fits])))}
        curves = [fit.curve for fit in self.fits if fit.curve]
        if not curves:
            return chosen
        mean, std = np.mean([curve.mean for curve in curves], 0), np.mean([curve.std for curve in curves], 0)
        best = int(np.argmax(mean))
        by_C = {f"cv/accuracy_C_{C:g}": float(value) for C, value in zip(curves[0].C, mean, strict=True)}
        return chosen | {"cv/accuracy": float(mean[best]), "cv/accuracy_std": float(std[best])} | by_C


def evaluate(
    name: str, values_NVD: np.ndarray, images: ImageSet, postprocess: Transformer, classifier: Classifier
) -> Score:
    """Score one layer's features, [N, V, D] in the order of the samples, by the data set's folds.

    Everything that is chosen or learnt (C, the transforms) sees training images only; the test images are read once.
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
