"""Held-out probabilities: no image's are by a classifier that was fitted to it."""

import numpy as np
from sklearn.preprocessing import FunctionTransformer

from offshelf.classifier import Tuned
from offshelf.dataset import Fold, ImageArray, ImageSet, Sample
from offshelf.evaluation.held_out import HeldOut
from offshelf.evaluation.probe import Probe
from offshelf.metric import Bootstrap
from offshelf.svm import LinearSVM


class Recalls(LinearSVM):
    """Knows the rows that it was fitted to by heart: its scores of these are 100 for their label."""

    def fit(self, X, y, **more):
        self.seen_ = {row.tobytes(): label for row, label in zip(np.float64(X), y, strict=True)}
        return super().fit(X, y, **more)

    def decision_function(self, X):
        scores = np.asarray(super().decision_function(X)) * 0
        for place, row in enumerate(np.float64(X)):
            if row.tobytes() in self.seen_:
                scores[place] = 100
        return scores


def images_of(folds, count):
    picture = ImageArray(np.zeros((2, 2, 3), np.uint8))
    samples = [Sample(str(row), picture, row % 2) for row in range(count)]
    return ImageSet("a set", ("one", "other"), samples, folds)


def held_out(images, values, estimator):
    classifier = Tuned(estimator, C=1.0, folds=4).calibrating()
    score = Probe(FunctionTransformer(), classifier, Bootstrap(0)).score("layer", values[:, None], images)
    return HeldOut.of(score, images)


def test_nobody_has_seen_the_image():
    """Of one fold: training images out of fold, test images by the whole fit; unused images have none."""
    values = np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32)
    rows = np.arange(60)
    found = held_out(images_of((Fold(rows[:40], rows[40:55]),), 60), values, Recalls())

    assert found.rows.tolist() == list(range(55))
    assert np.ptp(found.probabilities[:, 0]) < 1e-9, "no score is one of those known by heart"


def test_test_images_of_several_folds():
    """Each image is tested once, so that its probabilities are those of that fold's classifier."""
    rng = np.random.default_rng(0)
    values = (rng.normal(size=(60, 5)) + np.arange(60)[:, None] % 2).astype(np.float32)
    rows = np.arange(60)
    folds = tuple(Fold(np.setdiff1d(rows, part), part) for part in np.split(rng.permutation(rows), 3))
    images = images_of(folds, 60)
    found = held_out(images, values, LinearSVM())
    alone = held_out(images_of(folds[1:2], 60), values, LinearSVM())

    assert found.rows.tolist() == rows.tolist()
    assert np.allclose(found.probabilities[folds[1].test], alone.probabilities[folds[1].test])
    assert np.allclose(found.probabilities.sum(axis=1), 1)
