"""A sample of weight k is k samples, in losses, in the balance and in scores; one of weight 0 is none."""

import numpy as np
import pytest
from sklearn.model_selection import GroupKFold
from sklearn.svm import LinearSVC

from offshelf.svm import LinearSVM, LinearSVMCV

TOL = 1e-9


def blobs(classes, rows=90, seed=0):
    random = np.random.default_rng(seed)
    targets = np.r_[np.arange(classes), random.integers(0, classes, rows - classes)]
    values = random.normal(size=(rows, 5)) + np.eye(classes, 5)[targets]
    return values, targets, random.integers(0, 5, rows) * np.where(targets == 0, 3, 1)


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("multiclass", ["ovr", "ovo"])
@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
@pytest.mark.parametrize("class_weight", ["balanced", {1: 3.0}, None], ids=str)
def test_weights_are_copies(loss, multiclass, classes, class_weight):
    """Rows repeated, rows of weight 0 gone."""
    values, targets, weights = blobs(classes)
    settings = {"loss": loss, "multiclass": multiclass, "class_weight": class_weight, "tol": TOL}
    weighted = LinearSVM(0.1, **settings).fit(values, targets, weights)
    repeated = LinearSVM(0.1, **settings).fit(np.repeat(values, weights, axis=0), np.repeat(targets, weights))

    assert weighted.coef_ == pytest.approx(repeated.coef_, abs=1e-5)
    assert weighted.decision_function(values) == pytest.approx(repeated.decision_function(values), abs=1e-4)


def test_the_balance_of_weights_is_liblinears():
    """Fractions too."""
    values, targets, weights = blobs(3)
    weights = weights / 7
    theirs = LinearSVC(C=0.1, class_weight="balanced", dual=False, tol=1e-10).fit(values, targets, weights)
    ours = LinearSVM(0.1, loss="squared_hinge", class_weight="balanced", tol=TOL).fit(values, targets, weights)

    assert ours.coef_ == pytest.approx(theirs.coef_, abs=1e-5)


def test_rows_left_out_of_a_label_do_not_count_in_its_balance():
    """Nor does a whole number of copies differ from a weight."""
    values, targets, weights = blobs(4)
    labels, each = np.stack([targets == 0, targets > 1], axis=1).astype(int), np.stack([weights, weights[::-1]], axis=1)
    ours = LinearSVM(0.1, class_weight="balanced", tol=TOL).fit(values, labels, each)
    for label in range(2):
        rows = np.repeat(np.arange(len(values)), each[:, label])
        alone = LinearSVM(0.1, class_weight="balanced", tol=TOL).fit(values[rows], labels[rows, label])
        assert ours.coef_[label] == pytest.approx(alone.coef_[0], abs=1e-5)


@pytest.mark.parametrize("multiclass", ["ovr", "ovo"])
@pytest.mark.parametrize("class_weight", ["balanced", None])
def test_a_class_without_weight_is_no_class(multiclass, class_weight):
    """As if its rows were gone; whichever it is."""
    values, targets, _ = blobs(4)
    for gone in range(4):
        kept = targets != gone
        settings = {"multiclass": multiclass, "class_weight": class_weight, "tol": TOL}
        ours = LinearSVM(0.1, **settings).fit(values, targets, kept.astype(float))
        alone = LinearSVM(0.1, **settings).fit(values[kept], targets[kept])
        assert ours.classes_.tolist() == alone.classes_.tolist()
        assert ours.decision_function(values) == pytest.approx(alone.decision_function(values), abs=1e-4)


@pytest.mark.parametrize(
    ("settings", "weights", "sentence"),
    [
        ({"class_weight": {0: 1, 7: 2}}, None, "class_weight has keys that are not classes: 7"),
        ({"class_weight": {0: -1}}, None, "class_weight must hold finite, non-negative numbers"),
        ({"class_weight": "balance"}, None, "class_weight must be None, 'balanced' or weights by class; got 'balance'"),
        ({}, -np.ones(90), "non-negative"),
        ({}, np.full(90, np.nan), "finite, non-negative numbers"),
        ({}, np.zeros(90), "All samples have a weight of zero"),
        ({}, np.arange(90) < 1, "needs samples of at least 2 classes"),
    ],
)
def test_weights_that_do_not_fit(settings, weights, sentence):
    """One sentence."""
    values, targets, _ = blobs(3)
    with pytest.raises(ValueError, match=sentence):
        LinearSVM(**settings).fit(values, targets, weights)


@pytest.mark.parametrize("scoring", ["accuracy", "average_precision"])
def test_scores_of_folds_are_weighted(scoring):
    """With the folds given, as rows repeated."""
    values, targets, weights = blobs(3)
    weights = weights + 1
    rows, held_out = np.repeat(np.arange(90), weights), np.arange(90) % 3 == 0
    splits = [(np.flatnonzero(~held_out), np.flatnonzero(held_out))]
    copies = [(np.flatnonzero(~held_out[rows]), np.flatnonzero(held_out[rows]))]
    settings = {"scoring": scoring, "tol": TOL, "warn_at_edge": False}
    weighted = LinearSVMCV([0.01, 1], cv=splits, **settings).fit(values, targets, weights)
    repeated = LinearSVMCV([0.01, 1], cv=copies, **settings).fit(values[rows], targets[rows])

    assert weighted.cv_results_["mean_test_score"] == pytest.approx(repeated.cv_results_["mean_test_score"], abs=1e-6)


def test_groups_are_images():
    """A group of several classes or weights is refused, with the way out; which works."""
    values, targets, weights = blobs(2)
    groups = np.arange(90) // 6
    choose = LinearSVMCV([0.01, 1], warn_at_edge=False)
    with pytest.raises(ValueError, match=r"group '0' have several labels.*GroupKFold"):
        choose.fit(values, targets, groups=groups)
    with pytest.raises(ValueError, match="have several labels"):
        choose.fit(values, np.stack([targets, 1 - targets], axis=1), groups=groups)
    with pytest.raises(ValueError, match="have several weights"):
        choose.fit(values, groups % 2, weights + 1, groups=groups)
    with pytest.raises(ValueError, match="groups must be 90 group labels"):
        choose.fit(values, targets, groups=groups[1:])

    splits = list(GroupKFold(5).split(values, targets, groups))
    assert LinearSVMCV([0.01, 1], cv=splits, warn_at_edge=False).fit(values, targets).C_ in (0.01, 1)


def test_a_fold_without_weight():
    """Has no score."""
    values, targets, _ = blobs(2)
    rows = np.arange(90)
    with pytest.raises(ValueError, match="held-out samples of a fold all have a weight of zero"):
        LinearSVMCV([0.01, 1], cv=[(rows[:60], rows[60:])]).fit(values, targets, (rows < 60).astype(float))
