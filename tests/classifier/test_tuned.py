"""Any estimator as a run's classifier, against scikit-learn's own search, estimators and hand-computed cases."""

import logging

import numpy as np
import pytest
from hydra.utils import instantiate
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_digits, make_blobs
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC, LinearSVC

from offshelf.classifier import Tuned, gram
from offshelf.config import load, plain
from offshelf.errors import ConfigError
from offshelf.svm import LinearSVM, LinearSVMCV

ESTIMATORS = {
    "sklearn_svc": SVC(kernel="linear"),
    "sklearn_linear_svc": LinearSVC(random_state=0, max_iter=5000),
    "logistic": LogisticRegression(tol=1e-8, max_iter=10_000),
    "logistic_ovr": OneVsRestClassifier(LogisticRegression(tol=1e-8, max_iter=10_000)),
    "sklearn_logistic": LogisticRegression(max_iter=1000),
}
PLACES = {"logistic_ovr": "estimator__C"}


@pytest.fixture(scope="module")
def digits():
    """Unit-length raw pixels: train values [N, 1, D], train targets, test values, test targets."""
    values, targets = load_digits(return_X_y=True)
    values = values / np.linalg.norm(values, axis=1, keepdims=True)
    return values[::4, None], targets[::4], values[1::4, None], targets[1::4]


def option(name, **settings):
    """A classifier as its YAML makes it."""
    node = plain(load("classify", [f"classifier={name}"]))["classifier"]
    return instantiate({**node, **settings}, _convert_="all")


@pytest.mark.parametrize("classes", [2, 3, 10])
@pytest.mark.parametrize("name", ESTIMATORS)
def test_options_are_the_estimators_they_name(digits, name, classes):
    """Same labels as scikit-learn's, for two classes and for three, where pairs are as many as classes, too."""
    train, targets, test, _ = digits
    keep = targets < classes
    place, value = PLACES.get(name, "C"), 3
    ours = option(name, **{place.rpartition("__")[2]: value}).fit(train[keep], targets[keep]).score(test).argmax(axis=1)
    theirs = ESTIMATORS[name].set_params(**{place: value}).fit(train[keep, 0], targets[keep]).predict(test[:, 0])

    assert (ours == theirs).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sklearn_svc", "logistic_ovr"])
def test_curve_is_grid_search(digits, name):
    """The accuracies of GridSearchCV, split by split, and its choice."""
    train, targets, _, _ = digits
    place, values = PLACES.get(name, "C"), [1, 8, 64]
    parameter = place.rpartition("__")[2]
    fit = option(name, **{parameter: values}, folds=4, seed=3).fit(train, targets)
    folds = StratifiedKFold(4, shuffle=True, random_state=3)
    search = GridSearchCV(ESTIMATORS[name], {place: list(fit.curve.values)}, cv=folds).fit(train[:, 0], targets)
    theirs = np.array([search.cv_results_[f"split{fold}_test_score"] for fold in range(4)]).T

    assert fit.curve.scores == pytest.approx(theirs)
    assert search.best_params_[place] == fit.value
    assert fit.parameter == fit.curve.parameter == parameter
    assert sorted(fit.curve.values) == values


def test_views_of_an_image_stay_together(digits):
    """GridSearchCV on the rows, given the images' folds, with views summed by a scorer."""
    train, targets, _, _ = digits
    views = np.stack([train[:, 0], np.roll(train[:, 0], 1, axis=1)], axis=1)
    fit = Tuned(SVC(kernel="linear"), C=[0.5, 5.0], folds=3, seed=1).fit(views, targets)
    splits = list(StratifiedKFold(3, shuffle=True, random_state=1).split(targets, targets))
    by_row = [(np.r_[2 * a, 2 * a + 1], np.r_[2 * b, 2 * b + 1]) for a, b in splits]

    def scorer(estimator, rows, labels):
        half = len(rows) // 2
        sums = estimator.decision_function(rows[:half]) + estimator.decision_function(rows[half:])
        return np.mean(sums.argmax(axis=1) == labels[:half])

    rows, labels = views.reshape(-1, views.shape[2]), np.repeat(targets, 2)
    search = GridSearchCV(SVC(kernel="linear"), {"C": [0.5, 5.0]}, cv=by_row, scoring=scorer).fit(rows, labels)

    assert fit.curve.mean == pytest.approx(search.cv_results_["mean_test_score"])


def test_pair_values_are_summed_over_views_before_they_vote(digits):
    """By hand: pair values of each view, their sum, one vote a pair."""
    train, targets, test, _ = digits
    views = np.stack([test[:, 0], np.roll(test[:, 0], 1, axis=1)], axis=1)
    predicted = option("sklearn_svc", C=2).fit(train, targets).score(views).argmax(axis=1)
    machine = SVC(kernel="linear", C=2, decision_function_shape="ovo").fit(train[:, 0], targets)
    sums = machine.decision_function(views[:, 0]) + machine.decision_function(views[:, 1])
    votes = np.zeros((len(test), 10))
    for pair, (first, second) in enumerate((i, j) for i in range(10) for j in range(i + 1, 10)):
        votes[:, first] += sums[:, pair] > 0
        votes[:, second] += sums[:, pair] <= 0

    assert (predicted == votes.argmax(axis=1)).all()


def test_pairs_vote_whatever_the_estimator_would_show(digits):
    """LinearSVMCV shows scores of classes by default; with three classes they are as many as the pairs."""
    train, targets, test, truth = digits
    keep, seen = targets < 3, truth < 3
    fit = Tuned(LinearSVMCV(multiclass="ovo"), C=2.0).fit(train[keep], targets[keep])

    assert np.mean(fit.score(test[seen]).argmax(axis=1) == truth[seen]) > 0.98


@pytest.mark.parametrize("name", ["sklearn_svc", "sklearn_linear_svc"])
def test_repeated_view_with_half_C_is_one_view(digits, name):
    """Two identical views double every loss: with half of C the labels are those of one view."""
    train, targets, test, _ = digits
    once = option(name, C=2).fit(train, targets).score(test).argmax(axis=1)
    twice = option(name, C=1).fit(np.repeat(train, 2, 1), targets).score(np.repeat(test, 2, 1)).argmax(axis=1)

    assert np.mean(once == twice) > 0.995


@pytest.fixture(scope="module")
def shifted(digits):
    """The digits through two views, one shifted by a pixel: train [N, 2, D], targets, test [M, 2, D]."""
    train, targets, test, _ = digits
    return *(np.concatenate([part, np.roll(part, 1, axis=2)], axis=1) for part in (train, test)), targets


@pytest.mark.parametrize(
    "name", ["linear_svm", "linear_svm_ovr", "sklearn_svc", "sklearn_linear_svc", "logistic", "sklearn_logistic", "knn"]
)
def test_features_are_averaged_in_training_and_in_testing(shifted, name):
    """As one view that is the mean of all: the same scores, and the same curve."""
    train, test, targets = shifted
    grid = {"n_neighbors": [1, 5]} if name == "knn" else {"C": [0.5, 8]}
    ours = option(name, **grid, folds=2, fusion="features").fit(train, targets)
    plain = option(name, **grid, folds=2).fit(train.mean(axis=1, keepdims=True), targets)

    assert (ours.score(test) == plain.score(test.mean(axis=1, keepdims=True))).all()
    assert (ours.curve.scores == plain.curve.scores).all()


@pytest.mark.parametrize("fusion", ["sum", "mean", "max"])
@pytest.mark.parametrize("classes", [2, 5])
def test_fusion_is_the_same_in_the_search_and_in_the_test(shifted, fusion, classes):
    """LinearSVMCV's own search scores held-out images as ours does, two classes, pairs and classes against the rest.

    Ours refits, and asks each fit for its scores of the held-out images, as it does for test images.
    """
    train, _, targets = shifted
    train, targets = train[targets < classes], targets[targets < classes]
    for shape in ({"multiclass": "ovo", "decision_function_shape": "ovo"}, {"multiclass": "ovr"}):
        settings = {"C": [0.002, 0.5], "folds": 3, "seed": 4, "fusion": fusion}
        own = Tuned(LinearSVMCV(**shape, tol=1e-7), **settings).fit(train, targets)
        ours = Tuned(LinearSVM(**shape, tol=1e-7), **settings).fit(train, targets)

        assert own.curve.scores == pytest.approx(ours.curve.scores)


def test_largest_response_by_hand(shifted):
    """Of each class over the views; of pairs and of two classes for either side."""
    train, test, targets = shifted
    one_sided = option("sklearn_linear_svc", C=2, fusion="max").fit(train, targets).score(test)
    rows, labels = train.reshape(-1, train.shape[2]), np.repeat(targets, 2)
    machine = LinearSVC(C=2, random_state=0, max_iter=5000).fit(rows, labels)
    views = np.stack([machine.decision_function(test[:, view]) for view in range(2)])

    assert one_sided == pytest.approx(views.max(axis=0))

    keep = targets < 2
    pair = option("sklearn_svc", C=2, fusion="max").fit(train[keep], targets[keep]).score(test)
    machine = SVC(kernel="linear", C=2).fit(train[keep].reshape(-1, 64), np.repeat(targets[keep], 2))
    views = np.stack([machine.decision_function(test[:, view]) for view in range(2)])
    surest = np.take_along_axis(views, np.abs(views).argmax(axis=0)[None], 0)[0]
    assert (pair.argmax(axis=1) == (surest > 0)).all()


class Chooser(ClassifierMixin, BaseEstimator):
    """Chooses by itself: the largest of its Cs; its responses are the distances to class means, written backwards."""

    def __init__(self, Cs=(1.0,), cv=2, one_standard_error=False, random_state=None, scoring=None, fusion="sum"):
        self.Cs, self.cv, self.one_standard_error, self.random_state = Cs, cv, one_standard_error, random_state
        self.scoring, self.fusion = scoring, fusion

    def fit(self, X, y, groups):
        self.classes_, self.groups_ = np.unique(y), groups
        self.means_ = np.stack([X[y == label].mean(axis=0) for label in self.classes_])
        self.C_, self.dual_gap_, self.n_problems_ = max(self.Cs), np.array([1e-6, 3e-5]), 77
        scores = {f"split{fold}_test_score": np.full(len(self.Cs), fold / 4) for fold in range(self.cv)}
        self.cv_results_ = {"C": np.sort(self.Cs), **scores}
        self.held_out_score_ = np.arange(self.cv) / 4
        return self

    def decision_function(self, X):
        return np.linalg.norm(X[:, None] - self.means_, axis=2)

    def class_scores(self, decisions):
        return -decisions


def test_estimator_with_its_own_search_is_left_to_it(digits, monkeypatch):
    """It gets rows, images as groups and the settings; curve, value, gap and number of problems are its own."""
    train, targets, test, truth = digits
    seen, own_fit = [], Chooser.fit
    monkeypatch.setattr(Chooser, "fit", lambda self, X, y, groups: seen.append(self) or own_fit(self, X, y, groups))
    tuned = Tuned(Chooser(), C=[4, 1, 2], folds=3, one_standard_error=True, seed=9, fusion="max")
    fit = tuned.fit(np.repeat(train, 2, axis=1), targets)

    settings = {"Cs": (1.0, 2.0, 4.0), "cv": 3, "one_standard_error": True, "random_state": 9, "fusion": "max"}
    assert settings.items() <= seen[0].get_params().items()
    nearest = np.eye(10)[[3, 4]] * -1  # distances: the least wins
    assert seen[0].scoring(np.array([3, 5]), nearest, np.ones(2)) == 0.5
    assert (seen[0].groups_ == np.repeat(np.arange(len(train)), 2)).all()
    assert (fit.parameter, fit.value, fit.gap, fit.problems) == ("C", 4.0, 3e-5, 77)
    assert fit.curve.scores.tolist() == [[0, 0.25, 0.5]] * 3
    assert fit.held_out.tolist() == [0, 0.25, 0.5]
    assert np.mean(fit.score(test).argmax(axis=1) == truth) > 0.8
    assert Tuned(Chooser(), C=2).fit(train, targets).curve is None


def test_one_standard_error_prefers_the_simpler(digits):
    """By hand from the curve: within std / sqrt(folds - 1) of the best, the smallest C, the largest n_neighbors."""
    train, targets, _, _ = digits
    for name, grid, end in (("sklearn_svc", {"C": [0.02, 0.2, 2, 20, 200]}, min), ("knn", {}, max)):
        fit = option(name, **grid, one_standard_error=True).fit(train[:200], targets[:200])
        top = int(np.argmax(fit.curve.mean))
        within = fit.curve.mean >= fit.curve.mean[top] - np.std(fit.curve.scores[top]) / 2

        assert fit.value == end(np.array(fit.curve.values)[within])


def test_few_images_of_a_class_lower_the_folds(caplog):
    """Three images a class allow three folds, and that is said."""
    values, targets = make_blobs([3, 30], 4, centers=[[0] * 4, [5] * 4], random_state=0)
    with caplog.at_level(logging.WARNING):
        classifier = option("linear_svm")
        fit, again = (classifier.fit(values[:, None], targets) for _ in range(2))

    assert fit.curve is not None
    assert again.value == fit.value
    assert caplog.text.count("3 folds") == 1  # for all layers


def test_fits_that_stop_early_are_counted(digits, caplog):
    """One line, not one warning a fit."""
    train, targets, _, _ = digits
    with caplog.at_level(logging.WARNING):
        Tuned(LogisticRegression(max_iter=2), C=[200, 2000], folds=2).fit(train, targets)

    assert [record.message.split(":")[0] for record in caplog.records] == ["5 fit(s) are approximate"]


def test_one_image_of_a_class_cannot_choose():
    """The error says what to do."""
    values, targets = np.random.default_rng(0).random((5, 1, 3)), np.array([0, 0, 0, 0, 1])
    with pytest.raises(ConfigError, match=r"class number 1 .* classifier.C=2"):
        option("linear_svm").fit(values, targets)
    with pytest.raises(ConfigError, match=r"class number 1 .* classifier.n_neighbors=5"):
        option("knn").fit(values, targets)


def test_too_many_neighbours_are_a_mistake(digits):
    """scikit-learn's refusal as one sentence, at prediction too."""
    train, targets, test, _ = digits
    with pytest.raises(ConfigError, match="KNeighborsClassifier cannot be used with these settings"):
        Tuned(KNeighborsClassifier(), n_neighbors=[2, 5000]).fit(train, targets)
    with pytest.raises(ConfigError, match="n_neighbors = 5000"):
        Tuned(KNeighborsClassifier(), n_neighbors=5000).fit(train, targets).score(test)


def test_gram_is_bounded(monkeypatch):
    """The error names the way out."""
    monkeypatch.setattr("offshelf.classifier.kernel.GRAM_ROWS", 3)
    with pytest.raises(ConfigError, match=r"at most 3 training rows; there are 4\. Use classifier=linear_svm_ovr"):
        Tuned(SVC(kernel=gram), C=1).fit(np.eye(4)[:, None], np.array([0, 0, 1, 1]))


@pytest.mark.parametrize(
    "bad",
    [
        {"C": -1.0},
        {"C": []},
        {"C": float("nan")},
        {"C": "two"},
        {"C": 1, "tol": 1},
        {},
        {"alpha": 1},
        {"C": 1, "folds": 1},
        {"C": 1, "simplest": "both"},
        {"C": 1, "fusion": "median"},
    ],
)
def test_bad_settings(bad):
    """Settings are checked before any work."""
    with pytest.raises(ConfigError):
        Tuned(SVC(), **bad)


def test_whole_numbers_stay_whole():
    """A parameter's kind is that of its default."""
    assert Tuned(KNeighborsClassifier(), n_neighbors=[3, 1.0]).values == (1, 3)
    assert isinstance(Tuned(SVC(), C=2).values[0], float)
    with pytest.raises(ConfigError, match="positive whole number"):
        Tuned(KNeighborsClassifier(), n_neighbors=2.5)
