"""LinearSVMCV against GridSearchCV, and against loops written out, with liblinear and libsvm inside."""

import warnings

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.metrics import average_precision_score
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold
from sklearn.svm import SVC, LinearSVC
from svm_paths import in_pytorch

from offshelf.svm import GridEdgeWarning, LinearSVM, LinearSVMCV

pytestmark = pytest.mark.usefixtures("either_solver")
CS = [0.001, 0.01, 0.1, 1.0]
EDGE = pytest.mark.filterwarnings("ignore::offshelf.svm.GridEdgeWarning")


def blobs(rows, classes, seed=0, dims=30):
    """Overlapping classes, which some C suits better than others."""
    return make_classification(
        rows, dims, n_informative=6, n_classes=classes, flip_y=0.2, class_sep=0.6, random_state=seed
    )


def liblinear(C, loss="hinge"):
    """Without the warnings of large C."""
    return LinearSVC(C=C, loss=loss, dual=True, tol=1e-7, max_iter=1_000_000, random_state=0)


def scores_of(results, folds=5):
    """[C, F]."""
    return np.array([results[f"split{fold}_test_score"] for fold in range(folds)]).T


@EDGE
@in_pytorch("soak")
@pytest.mark.parametrize("rows", [50, 200])
@pytest.mark.parametrize(("loss", "classes"), [("hinge", 2), ("hinge", 3), ("squared_hinge", 2), ("squared_hinge", 3)])
def test_grid_search_of_liblinear(loss, classes, rows):
    """Accuracy fold by fold, the curve, and the choice; refitted as LinearSVM at C_."""
    values, targets = blobs(rows, classes, seed=1)
    folds = StratifiedKFold(5, shuffle=True, random_state=3)
    theirs = GridSearchCV(liblinear(1, loss), {"C": CS}, cv=folds).fit(values, targets)
    ours = LinearSVMCV(CS, loss=loss, random_state=3, tol=1e-8).fit(values, targets)

    assert scores_of(ours.cv_results_) == pytest.approx(scores_of(theirs.cv_results_))
    assert ours.cv_results_["mean_test_score"] == pytest.approx(theirs.cv_results_["mean_test_score"])
    assert ours.cv_results_["std_test_score"] == pytest.approx(theirs.cv_results_["std_test_score"])
    assert ours.cv_results_["C"].tolist() == CS
    assert theirs.best_params_["C"] == ours.C_
    assert ours.n_problems_ == 6 * len(CS) * (1 if classes == 2 else classes)
    refit = LinearSVM(ours.C_, loss=loss, tol=1e-8).fit(values, targets)
    assert ours.coef_ == pytest.approx(refit.coef_, abs=1e-4)
    assert ours.intercept_ == pytest.approx(refit.intercept_, abs=1e-4)
    assert ours.dual_gap_.max() <= 1e-8
    assert (ours.predict(values) == theirs.predict(values)).mean() > 0.98


@EDGE
@in_pytorch("soak")
@pytest.mark.parametrize("classes", [2, 4])
def test_grid_search_of_libsvm(classes):
    """Pairs with votes and a free bias."""
    values, targets = blobs(160, classes, seed=2)
    folds = StratifiedKFold(4, shuffle=True, random_state=0)
    theirs = GridSearchCV(SVC(kernel="linear", tol=1e-7), {"C": CS}, cv=folds).fit(values, targets)
    ours = LinearSVMCV(CS, cv=4, multiclass="ovo", bias="free", tol=1e-6).fit(values, targets)

    assert scores_of(ours.cv_results_, 4) == pytest.approx(scores_of(theirs.cv_results_, 4))
    assert theirs.best_params_["C"] == ours.C_


@EDGE
@in_pytorch("soak")
@pytest.mark.parametrize("multiclass", ["ovr", "ovo"])
def test_views_stay_together(multiclass):
    """Folds over images; held-out images are scored by the sum of their views' decision values. Any order of rows."""
    images, targets = blobs(60, 3, seed=4)
    random = np.random.default_rng(0)
    groups = random.permutation(np.repeat(np.arange(60), 3))
    values = images[groups] + random.normal(size=(180, 30)) / 2
    settings = {"multiclass": multiclass, "tol": 1e-6}
    ours = LinearSVMCV(CS, cv=3, random_state=5, **settings).fit(values, targets[groups], groups=groups + 100)
    scores = []
    for C in CS:
        scores.append([])
        for train, test in StratifiedKFold(3, shuffle=True, random_state=5).split(images, targets):
            kept = np.isin(groups, train)
            shape = {"decision_function_shape": "ovo"}
            machine = LinearSVM(C, **settings, **shape).fit(values[kept], targets[groups][kept])
            sums = [machine.decision_function(values[groups == image]).sum(axis=0) for image in test]
            scores[-1].append(np.mean(machine.labels_of(np.array(sums)) == targets[test]))

    assert scores_of(ours.cv_results_, 3) == pytest.approx(np.array(scores))
    assert CS[int(np.mean(scores, axis=1).argmax())] == ours.C_


@EDGE
def test_given_split():
    """One official validation split: accuracy of liblinear there; then all rows are fitted."""
    values, targets = blobs(120, 3, seed=6)
    train, test = np.arange(80), np.arange(80, 120)
    accuracy = [liblinear(C).fit(values[train], targets[train]).score(values[test], targets[test]) for C in CS]
    ours = LinearSVMCV(CS, cv=[(train, test)], tol=1e-8).fit(values, targets)

    assert ours.cv_results_["mean_test_score"] == pytest.approx(accuracy)
    assert CS[int(np.argmax(accuracy))] == ours.C_
    assert ours.coef_ == pytest.approx(LinearSVM(ours.C_, tol=1e-8).fit(values, targets).coef_, abs=1e-4)


@EDGE
@pytest.mark.parametrize("select", ["per_class", "joint"])
def test_average_precision_as_VISSL(select):
    """Class by class, C by C, fold by fold, difficult rows left out of training and scores; as VISSL's 880."""
    random = np.random.default_rng(1)
    values, _ = blobs(90, 2, seed=7)
    labels = (values[:, :4] + 2 * random.normal(size=(90, 4)) > 0.5).astype(int)
    weights = (random.random((90, 4)) > 0.15).astype(float)
    folds = list(KFold(3, shuffle=True, random_state=2).split(values))
    scores = np.zeros((len(CS), 3, 4))
    for at, C in enumerate(CS):
        for fold, (train, test) in enumerate(folds):
            for number in range(4):
                a, b = (part[weights[part, number] > 0] for part in (train, test))
                machine = liblinear(C).fit(values[a], labels[a, number])
                scores[at, fold, number] = average_precision_score(
                    labels[b, number], machine.decision_function(values[b])
                )
    settings = {"scoring": "average_precision", "select": select, "random_state": 2, "cv": 3}
    ours = LinearSVMCV(CS, **settings, tol=1e-8).fit(values, labels, weights)
    best = scores.mean(axis=1).argmax(axis=0) if select == "per_class" else [scores.mean(axis=(1, 2)).argmax()] * 4

    assert scores_of(ours.cv_results_, 3) == pytest.approx(scores.mean(axis=2), abs=1e-3)
    assert np.broadcast_to(ours.C_, 4).tolist() == np.array(CS)[best].tolist()
    assert len(np.unique(scores.mean(axis=1).argmax(axis=0))) > 1
    for number, at in enumerate(best):
        kept = weights[:, number] > 0
        machine = liblinear(CS[at]).fit(values[kept], labels[kept, number])
        assert ours.coef_[number] == pytest.approx(machine.coef_[0], abs=1e-3)
        assert ours.intercept_[number] == pytest.approx(machine.intercept_[0], abs=1e-3)


def test_a_label_that_no_row_has():
    """Its average precision is not defined: the first C, and nothing is said of it."""
    values, targets = blobs(90, 2, seed=7)
    labels = np.stack([targets, np.zeros(90, int)], axis=1)
    fitted = LinearSVMCV(CS, cv=3, scoring="average_precision", select="per_class", warn_at_edge=False)
    assert fitted.fit(values, labels).C_[1] == CS[0]
    assert np.isfinite(fitted.held_out_score_).all()


@EDGE
def test_own_score():
    """A function of held-out labels, decision values and weights, called once for each fold and C."""
    values, targets = blobs(90, 3, seed=8)
    seen = []

    def score(labels, decisions, weights):
        seen.append(decisions.shape == (len(labels), 3) and weights.tolist() == [1] * len(labels))
        return -np.abs(decisions).max()

    ours = LinearSVMCV(CS, scoring=score, cv=3).fit(values, targets)

    assert len(seen) == 3 * len(CS)
    assert all(seen)
    assert CS[0] == ours.C_
    assert ours.held_out_score_ == pytest.approx(scores_of(ours.cv_results_, 3)[0])


@EDGE
@in_pytorch("soak")
def test_one_standard_error():
    """By hand from the curve: within std / sqrt(folds - 1) of the best, the smallest C."""
    chosen = set()
    for seed in range(4):
        values, targets = blobs(100, 3, seed=seed)
        best = LinearSVMCV(CS).fit(values, targets)
        ours = LinearSVMCV(CS, one_standard_error=True).fit(values, targets)
        scores = scores_of(ours.cv_results_)
        top = scores.mean(axis=1).argmax()
        limit = scores[top].mean() - np.sqrt(np.mean((scores[top] - scores[top].mean()) ** 2)) / np.sqrt(4)

        assert min(C for C, mean in zip(CS, scores.mean(axis=1), strict=True) if mean >= limit) == ours.C_
        assert CS[top] == best.C_
        chosen.add(best.C_ > ours.C_)
    assert True in chosen


@in_pytorch("soak")
def test_edge_of_the_grid():
    """A warning at either end, and none inside; of equals the smallest C."""
    values, targets = blobs(80, 2)
    hinted = {C: 1.0 for C in CS}
    for best, says in ((CS[0], "0.001"), (CS[-1], "1"), (CS[1], None)):
        scale = iter(np.repeat([hinted[C] + (best == C) for C in CS], 5))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            ours = LinearSVMCV(CS, scoring=lambda labels, decisions, weights, it=scale: next(it)).fit(values, targets)
        assert best == ours.C_
        messages = [str(one.message) for one in caught if issubclass(one.category, GridEdgeWarning)]
        assert messages == ([f"The best C, {says}, is at the edge of the grid."] if says else [])
    quiet = LinearSVMCV(CS, scoring=lambda labels, decisions, weights: 0.5, warn_at_edge=False)
    assert CS[0] == quiet.fit(values, targets).C_  # a warning would be an error here
    with pytest.warns(GridEdgeWarning, match=r"0\.001"):
        assert CS[0] == LinearSVMCV(CS, scoring=lambda labels, decisions, weights: 0.5).fit(values, targets).C_


def test_one_value_is_a_fit():
    """Nothing is chosen, nothing is split."""
    values, targets = blobs(80, 3)
    ours = LinearSVMCV([0.3]).fit(values, targets)

    assert ours.C_ == 0.3
    assert (ours.coef_ == LinearSVM(0.3).fit(values, targets).coef_).all()
    assert not hasattr(ours, "cv_results_")


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"cv": 1}, "cv must be at least 2; got 1"),
        ({"Cs": [0.0, 1.0]}, "C must be a positive number"),
        ({"Cs": []}, "Cs must hold one or more positive numbers"),
        ({"scoring": "f1"}, "scoring must be 'accuracy', a function or"),
        ({"scoring": "average_precision", "multiclass": "ovo"}, "scoring must be 'accuracy', a function or"),
        ({"select": "each"}, "select must be one of joint, per_class"),
        ({"select": "per_class"}, "select=per_class needs a score for each class"),
    ],
)
def test_bad_settings(settings, sentence):
    """One sentence each."""
    values, targets = blobs(60, 3)
    with pytest.raises(ValueError, match=sentence):
        LinearSVMCV(**{"Cs": [0.1, 1.0], **settings}).fit(values, targets)
