"""From features to scores: fit on the training images of each fold, score once on its test images."""

import time
from dataclasses import dataclass, replace

import numpy as np

from offshelf import postprocess
from offshelf.classifier import Classifier, Few, FitResult
from offshelf.classifier.convergence import fitting
from offshelf.dataset import Fold, ImageSet
from offshelf.errors import DatasetError
from offshelf.evaluation.fused import for_features
from offshelf.evaluation.score import Score
from offshelf.extractor import Features
from offshelf.layer_fusion import LayerFusion
from offshelf.memo import once
from offshelf.metric import METRICS, Bootstrap, Outcome
from offshelf.postprocess import Transformer
from offshelf.terminal.progress import showing


@dataclass(frozen=True, eq=False)
class _Transformed:
    """Features of a fold."""

    fitted: Transformer
    """Fitted on the training features."""
    adapted: Transformer
    """The transform of the test features."""
    train_NVE: np.ndarray
    test_NVE: np.ndarray


@dataclass(frozen=True)
class Probe:
    """How features are scored: transform, classifier, and intervals of the metrics."""

    postprocess: Transformer
    classifier: Classifier
    bootstrap: Bootstrap
    layer_fusion: LayerFusion | None = None
    """How `postprocess` is applied to features that several layers' are concatenated into."""
    transformed: Transformer | None = None
    """The fitted transform, if the features are transformed already."""

    def on(self, features: Features) -> "Probe":
        """Return the probe whose transform fits these features, fused or not."""
        return replace(self, postprocess=for_features(self.postprocess, self.layer_fusion, features))

    def curve(
        self, name: str, values_NVD: np.ndarray, images: ImageSet, features: str | None = None
    ) -> tuple[Score, ...]:
        """Score one layer's features, as `score` does, with each training size; without sizes there is one score."""
        if not images.sizes:
            return (self.score(name, values_NVD, images, features),)
        last, probe = images.sizes[-1], self
        if not postprocess.learns(self.postprocess):  # all draws and sizes share the transformed features
            fitted = postprocess.fit(self.postprocess, values_NVD[:1])
            values_NVD = postprocess.transform(fitted, values_NVD)
            probe = replace(self, transformed=fitted)
        return tuple(
            probe.score(name, values_NVD, images.at(size), features, calibrate=size is last) for size in images.sizes
        )

    def score(
        self,
        name: str,
        values_NVD: np.ndarray,
        images: ImageSet,
        features: str | None = None,
        calibrate: bool = True,
    ) -> Score:
        """Score one layer's features, [N, V, D] in the order of the samples, by the data set's folds.

        The hyperparameter is chosen and transforms are fitted on training images only; the test images are read once.
        Jobs that share work (`offshelf.memo`) transform features of the same digest, `features`, once.

        Args:
            name: Name of the layer.
            values_NVD: Its features.
            images: The data set.
            features: Digest of the features, or None.
            calibrate: Whether the classifier of drawn training images is calibrated, if it is to be.

        Raises:
            DatasetError: the official metric is not defined on the test images.
        """
        start = time.perf_counter()
        fits, outcomes, transforms = [], [], []
        for number, fold in enumerate(images.folds):
            seen = self._transformed(name, values_NVD, fold, features)
            transforms.append((seen.fitted, seen.adapted))
            place = f"{name}, {_place(images, number)}" if len(images.folds) > 1 or images.sizes else name
            with fitting(place), showing(place):
                fits.append(self._fit(seen.train_NVE, images, fold, calibrate))
            outcomes.append(
                Outcome(images.targets[fold.test], fits[-1].score(seen.test_NVE), images.groups_of(fold.test))
            )
            if np.isnan(METRICS[images.metric](outcomes[-1])[0]):
                why = "all have one number" if images.kind == "number" else "none has a label"
                raise DatasetError(f"{images.metric} is not defined on the test images of {images.name}: {why}.")
        seconds = time.perf_counter() - start
        dims = values_NVD.shape[-1]
        fitted, adapted = zip(*transforms, strict=True)
        found = (tuple(fits), tuple(outcomes), seconds, self.bootstrap, fitted, adapted)
        leaked = tuple(images.leaks.tested(fold) for fold in images.folds) if images.leaks else ()
        return Score(name, dims, images.metric, *found, images.draws, images.tests, leaked=leaked)

    def _fit(self, train_NVD: np.ndarray, images: ImageSet, fold: Fold, calibrate: bool) -> FitResult:
        classifier, targets, groups = self.classifier, images.targets[fold.train], images.groups_of(fold.train)
        grouped = {} if groups is None else {"groups": groups}
        if images.sizes and isinstance(classifier, Few):
            classifier = classifier.for_few(targets, calibrate, **grouped)
        return classifier.fit(train_NVD, targets, images.metric, **grouped)

    def _transformed(self, name: str, values_NVD: np.ndarray, fold: Fold, features: str | None) -> "_Transformed":
        train, test = values_NVD[fold.train], values_NVD[fold.test]
        if self.transformed is not None:
            return _Transformed(self.transformed, self.transformed, train, test)

        def make() -> _Transformed:
            fitted = postprocess.fit(self.postprocess, train)
            adapted = postprocess.adapted(fitted, test)
            return _Transformed(
                fitted, adapted, postprocess.transform(fitted, train), postprocess.transform(adapted, test)
            )

        if features is None:
            return make()
        return once(make, "transformed", features, name, self.postprocess, fold.train, fold.test)


def _place(images: ImageSet, number: int) -> str:
    """Return in words which fold is fitted."""
    count = len(images.folds)
    size = f"{images.sizes[-1].name}, " if images.sizes else ""
    return f"{size}fold {number + 1} of {count}"
