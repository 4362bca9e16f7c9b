"""The SVM against scikit-learn's own one-vs-one and one-vs-rest machines, and against equivalences."""

import logging

import numpy as np
import pytest
from sklearn.datasets import load_digits, make_blobs
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.svm import SVC, LinearSVC

from offshelf.classifier import LinearSVM
from offshelf.errors import ConfigError


@pytest.fixture(scope="module")
def digits():
    """Unit-length raw pixels: train values [N, 1, D], train targets, test values, test targets."""
    values, targets = load_digits(return_X_y=True)
    values = values / np.linalg.norm(values, axis=1, keepdims=True)
    return values[::4, None], targets[::4], values[1::4, None], targets[1::4]


@pytest.mark.parametrize("C", [0.2, 20.0])
@pytest.mark.parametrize("classes", [2, 10])
def test_one_vs_one_is_libsvm(digits, classes, C):
    """Same labels as SVC with a linear kernel, for two classes too."""
    train, targets, test, _ = digits
    keep = targets < classes
    ours = LinearSVM(C=C).fit(train[keep], targets[keep]).predict(test)
    libsvm = SVC(C=C, kernel="linear").fit(train[keep, 0], targets[keep]).predict(test[:, 0])

    assert (ours == libsvm).all()


@pytest.mark.parametrize("classes", [2, 10])
def test_one_vs_rest_is_liblinear(digits, classes):
    """Same labels as LinearSVC."""
    train, targets, test, _ = digits
    keep = targets < classes
    ours = LinearSVM("one_vs_rest", C=2.0).fit(train[keep], targets[keep]).predict(test)
    liblinear = LinearSVC(C=2.0, random_state=0, max_iter=5000).fit(train[keep, 0], targets[keep]).predict(test[:, 0])

    assert (ours == liblinear).all()


def test_curve_is_grid_search(digits):
    """Cross-validation in one shared Gram matrix gives the accuracies of GridSearchCV."""
    train, targets, _, _ = digits
    fit = LinearSVM(C=[0.02, 2.0, 200.0], folds=4, seed=3).fit(train, targets)
    folds = StratifiedKFold(4, shuffle=True, random_state=3)
    search = GridSearchCV(SVC(kernel="linear"), {"C": [0.02, 2.0, 200.0]}, cv=folds).fit(train[:, 0], targets)

    assert fit.curve.mean == pytest.approx(search.cv_results_["mean_test_score"])
    assert fit.curve.std == pytest.approx(search.cv_results_["std_test_score"])
    assert search.best_params_["C"] == fit.C


@pytest.mark.parametrize("multiclass", ["one_vs_one", "one_vs_rest"])
def test_repeated_view_with_half_C_is_one_view(digits, multiclass):
    """Two identical views double every loss: with half of C the labels are those of one view."""
    train, targets, test, _ = digits
    once = LinearSVM(multiclass, C=2.0).fit(train, targets).predict(test)
    twice = LinearSVM(multiclass, C=1.0).fit(np.repeat(train, 2, 1), targets).predict(np.repeat(test, 2, 1))

    assert np.mean(once == twice) > 0.995


def test_few_images_of_a_class_lower_the_folds(caplog):
    """Three images a class allow three folds, and that is said."""
    values, targets = make_blobs([3, 30], 4, centers=[[0] * 4, [5] * 4], random_state=0)
    with caplog.at_level(logging.WARNING):
        fit = LinearSVM().fit(values[:, None], targets)

    assert fit.curve is not None
    assert "3 folds" in caplog.text


def test_one_image_of_a_class_cannot_choose_C():
    """The error says what to do."""
    with pytest.raises(ConfigError, match=r"class number 1 .* classifier.C=2"):
        LinearSVM().fit(np.random.default_rng(0).random((5, 1, 3)), np.array([0, 0, 0, 0, 1]))


@pytest.mark.parametrize("bad", [{"C": -1.0}, {"C": []}, {"multiclass": "ovo"}, {"folds": 1}])
def test_bad_settings(bad):
    """Settings are checked before any work."""
    with pytest.raises(ConfigError):
        LinearSVM(**bad)
