"""Classifiers as torch modules, beside the scorers of runs."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC, LinearSVC

from offshelf.classifier import Scorer
from offshelf.classifier.label import EachLabel
from offshelf.errors import ModelError
from offshelf.knn import KNNProbe
from offshelf.logistic import LogisticProbe
from offshelf.ridge import RidgeProbe
from offshelf.serving.onnx.scorer import as_module
from offshelf.svm import LinearSVM

random = np.random.default_rng(0)
ROWS, NEW = random.normal(size=(60, 5)), random.normal(size=(40, 3, 5)).astype(np.float32)
ESTIMATORS = {
    "votes": LinearSVM(multiclass="ovo", decision_function_shape="ovo"),
    "sums": LinearSVM(multiclass="ovo", decision_function_shape="ovo", ovo_decision="sum"),
    "ovr": LinearSVM(multiclass="ovr"),
    "liblinear": LinearSVC(),
    "liblinear_ovo": OneVsOneClassifier(LinearSVC(fit_intercept=False)),
    "logistic": LogisticProbe(),
    "logistic_ovr": LogisticProbe(multiclass="ovr"),
    "sklearn_logistic": LogisticRegression(),
    "sklearn_logistic_ovr": OneVsRestClassifier(LogisticRegression()),
}


def labels(classes):
    """Of the rows, by where they lie."""
    return np.clip((ROWS[:, 0] + ROWS[:, 1] + 2) * classes / 4, 0, classes - 1).astype(int)


def agree(scorer, images=NEW):
    """Whether the module gives the scorer's scores."""
    found = as_module(scorer)(torch.from_numpy(images)).numpy()
    expected = scorer(images)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("name", ESTIMATORS)
def test_the_same_scores(name, classes):
    """By every way to fuse three views."""
    fitted = ESTIMATORS[name].fit(ROWS, labels(classes))

    for fusion in ("sum", "mean", "max"):
        agree(Scorer(fitted, fusion, averages_features=False))
    agree(Scorer(fitted, "sum", averages_features=True))


@pytest.mark.parametrize("estimator", [RidgeProbe(), Ridge()])
def test_numbers(estimator):
    """One for each image, the mean over its views."""
    fitted = estimator.fit(ROWS, ROWS[:, 0] * 3 + 40)

    agree(Scorer(fitted, "mean", averages_features=False))
    agree(Scorer(fitted, "mean", averages_features=True))


@pytest.mark.parametrize("estimator", [LinearSVC(), LogisticRegression()])
def test_each_of_several_labels(estimator):
    """One that no training image counts for, and one that all have, among them."""
    signs = np.sign(ROWS[:, :4])
    signs[:, 2], signs[:, 3] = 1, 0

    agree(Scorer(EachLabel(estimator).fit(ROWS, signs), "max", averages_features=False))


@pytest.mark.parametrize("estimator", [LinearSVM(), LogisticProbe()])
def test_several_labels_of_the_own_estimators(estimator):
    """Each response is a label's, and has one side."""
    agree(Scorer(estimator.fit(ROWS, (ROWS[:, :3] > 0).astype(int)), "max", averages_features=False))


NEIGHBOURS = [
    KNNProbe(n_neighbors=7),
    KNNProbe(n_neighbors=5, temperature=None),
    KNNProbe(n_neighbors=1, distance="l2", temperature=None),
]


@pytest.mark.parametrize("estimator", NEIGHBOURS)
@pytest.mark.parametrize("classes", [2, 5])
def test_nearest_neighbours(estimator, classes):
    """By every way to fuse three views; far from the origin too, where half a squared length has few digits left."""
    for moved in (0, 100) if estimator.distance == "l2" else (0,):
        fitted = estimator.fit(ROWS + moved, labels(classes))
        for fusion in ("sum", "mean", "max"):
            agree(Scorer(fitted, fusion, averages_features=False), NEW + np.float32(moved))
        agree(Scorer(fitted, "sum", averages_features=True), NEW + np.float32(moved))


@pytest.mark.parametrize("estimator", NEIGHBOURS)
def test_neighbours_of_several_labels(estimator):
    """Rows that do not count for a label have no vote on it; a label for which no row counts has none."""
    weights = np.ones((60, 4))
    weights[:20, 1], weights[:, 3] = 0, 0

    agree(Scorer(estimator.fit(ROWS, (ROWS[:, :4] > 0).astype(int), weights), "max", averages_features=False))


def test_a_row_of_zeros_has_no_direction():
    """Its cosine is 0, be it a training row or an image."""
    rows = np.vstack([ROWS, np.zeros((1, 5))])
    fitted = KNNProbe(n_neighbors=61).fit(rows, np.append(labels(3), 1))

    agree(Scorer(fitted, "sum", averages_features=False), np.concatenate([NEW, np.zeros((1, 3, 5), np.float32)]))


@pytest.mark.parametrize(
    "estimator", [KNeighborsClassifier(), SVC(), SVC(kernel="linear"), OneVsRestClassifier(SVC(kernel="rbf"))]
)
def test_what_is_not_linear(estimator):
    """Is named, with those that can be exported."""
    with pytest.raises(
        ModelError, match=r"(KNeighborsClassifier|SVC) cannot be exported to ONNX: linear classifiers can"
    ):
        as_module(Scorer(estimator.fit(ROWS, labels(3)), "sum", averages_features=False))
