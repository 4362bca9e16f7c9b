"""Choosing a hyperparameter with the images of a group in one fold, against scikit-learn's searches."""

import logging

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold, LeaveOneGroupOut, StratifiedGroupKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC, LinearSVC

from offshelf.classifier import Tuned
from offshelf.classifier.calibration import Calibration
from offshelf.errors import ConfigError
from offshelf.knn import KNNProbe
from offshelf.logistic import LogisticProbeCV
from offshelf.ridge import RidgeProbeCV
from offshelf.svm import LinearSVMCV

GRID = [0.01, 0.1, 1.0]
FOLDS = StratifiedGroupKFold(3, shuffle=True, random_state=0)


@pytest.fixture(scope="module")
def patients():
    """Two classes of 18 patients with 6 images each, which are alike: values [N, 1, D], targets, patients."""
    rng = np.random.default_rng(0)
    groups = rng.permutation(np.repeat(np.arange(18), 6))
    centres = rng.normal(size=(18, 8))
    values = centres[groups] + 0.3 * rng.normal(size=(len(groups), 8)) + 0.4 * (groups % 2)[:, None]
    return values[:, None], groups % 2, groups


def grid_search(estimator, patients, folds=FOLDS, **grid):
    """Mean scores of scikit-learn's search, value by value."""
    values, targets, groups = patients
    return GridSearchCV(estimator, grid, cv=folds).fit(values[:, 0], targets, groups=groups)


def test_an_estimator_of_scikit_learn(patients):
    """The same folds, scores and choice as a grid search over StratifiedGroupKFold."""
    values, targets, groups = patients
    theirs = grid_search(SVC(kernel="linear"), patients, C=GRID)
    fit = Tuned(SVC(kernel="linear"), folds=3, C=GRID).fit(values, targets, groups=groups)

    assert fit.curve.mean == pytest.approx(theirs.cv_results_["mean_test_score"])
    assert fit.value == theirs.best_params_["C"]
    apart = Tuned(SVC(kernel="linear"), folds=3, C=GRID).fit(values, targets)
    assert apart.curve.mean.max() > fit.curve.mean.max()  # a patient's other images give it away


@pytest.mark.parametrize("views", [1, 2])
def test_estimators_with_a_search_of_their_own(patients, views):
    """The SVM of this project, in folds of whole patients, whatever the number of views."""
    values, targets, groups = patients
    theirs = grid_search(LinearSVC(loss="hinge", max_iter=500_000, tol=1e-6), patients, C=GRID)
    chooser = Tuned(LinearSVMCV(loss="hinge"), folds=3, C=GRID)
    fit = chooser.fit(np.repeat(values, views, axis=1), targets, groups=groups)

    if views == 1:
        assert fit.curve.mean == pytest.approx(theirs.cv_results_["mean_test_score"], abs=0.01)
    assert fit.curve.scores.shape == (3, 3)
    logistic = Tuned(LogisticProbeCV(), folds=3, C=GRID).fit(np.repeat(values, views, axis=1), targets, groups=groups)
    assert logistic.curve.scores.shape == (3, 3)


def test_numbers(patients):
    """Ridge regression over GroupKFold."""
    values, _, groups = patients
    numbers = values[:, 0, 0] + 0.1 * groups
    theirs = grid_search(Ridge(), (values, numbers, groups), GroupKFold(3, shuffle=True, random_state=0), alpha=GRID)
    fit = Tuned(RidgeProbeCV(), folds=3, fusion="mean", alpha=GRID).fit(values, numbers, "r2", groups)

    assert dict(zip(fit.curve.values, fit.curve.mean, strict=True)) == pytest.approx(
        dict(zip(GRID, theirs.cv_results_["mean_test_score"], strict=True)), abs=1e-6
    )


@pytest.mark.parametrize("k", [1, 3, 9])
def test_neighbours_are_of_other_groups(patients, k):
    """Leave-one-patient-out by scikit-learn, image by image."""
    values, targets, groups = patients
    rows = values[:, 0]
    probe = KNNProbe([k, 20], distance="l2", temperature=None, warn_at_edge=False, cv=3)
    probe.fit(rows, targets, clusters=groups)
    right = np.zeros(len(rows))
    for train, test in LeaveOneGroupOut().split(rows, targets, groups):
        theirs = KNeighborsClassifier(k, algorithm="brute").fit(rows[train], targets[train])
        right[test] = theirs.predict(rows[test]) == targets[test]
    parts = [part for _, part in FOLDS.split(rows, targets, groups)]
    row = probe.cv_results_["n_neighbors"].tolist().index(k)

    assert probe.cv_results_["mean_test_score"][row] == pytest.approx(np.mean([right[part].mean() for part in parts]))
    fit = Tuned(KNNProbe(distance="l2", temperature=None), folds=3, n_neighbors=[k, 20]).fit(
        values, targets, groups=groups
    )
    assert fit.curve.mean[fit.curve.values.index(k)] == pytest.approx(probe.cv_results_["mean_test_score"][row])


def test_clusters_of_samples():
    """The rows of one sample are of one cluster."""
    rows = np.eye(4)
    with pytest.raises(ValueError, match="must be of one cluster"):
        KNNProbe([1]).fit(rows, [0, 0, 1, 1], groups=[0, 0, 1, 1], clusters=[0, 1, 2, 2])
    with pytest.raises(ValueError, match="clusters must be 4 labels"):
        KNNProbe([1]).fit(rows, [0, 0, 1, 1], clusters=[0, 1])


def test_few_groups(patients, caplog):
    """Fewer folds, said; none of one group."""
    values, targets, groups = patients
    some = groups < 5  # three patients of class 0, two of class 1
    with caplog.at_level(logging.WARNING):
        fit = Tuned(SVC(kernel="linear"), C=GRID).fit(values[some], targets[some], groups=groups[some])
    assert fit.curve.scores.shape == (3, 2)
    assert "2 folds, not 5: a class has only that many groups" in caplog.text
    one = groups < 2
    with pytest.raises(ConfigError, match=r"class number 0 has 1 group\(s\) of training images and needs 2"):
        Tuned(SVC(kernel="linear"), C=GRID).fit(values[one], targets[one], groups=groups[one])
    few = Tuned(SVC(kernel="linear"), C=GRID).for_few(targets[one], False, groups[one])
    assert few.is_unchosen


def test_calibration_holds_out_groups(patients):
    """It is learnt from the decisions on patients that were not fitted, in scikit-learn's folds."""
    values, targets, groups = patients
    fit = Tuned(SVC(kernel="linear"), folds=3, calibrate=True, C=1.0).fit(values, targets, groups=groups)
    held_out = np.zeros((len(targets), 2))
    for train, test in FOLDS.split(values[:, 0], targets, groups):
        decisions = SVC(kernel="linear").fit(values[train, 0], targets[train]).decision_function(values[test, 0])
        held_out[test] = np.stack([-decisions, decisions], axis=1)
    theirs = Calibration.learn(held_out, targets)

    assert fit.calibration(held_out) == pytest.approx(theirs(held_out), abs=1e-5)
