"""LogisticProbeCV: each fold is a fit of its own, and the grid is scored as scikit-learn scores it."""

import numpy as np
import pytest
import skops.io
from logistic_objective import relative_gap
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from offshelf.logistic import LogisticProbe, LogisticProbeCV
from offshelf.logistic.solver import Problems, solve

CS = (0.01, 1.0, 100.0)
EDGE = pytest.mark.filterwarnings("ignore::offshelf.svm.GridEdgeWarning")


def blobs(rows, classes, dims=20, seed=0):
    """Overlapping classes."""
    return make_classification(
        rows, dims, n_informative=8, n_redundant=4, n_classes=classes, flip_y=0.1, class_sep=0.7, random_state=seed
    )


@pytest.mark.filterwarnings("ignore")  # of its checks
@pytest.mark.slow
@EDGE
def test_is_a_scikit_learn_estimator():
    """All of its checks."""
    check_estimator(LogisticProbeCV(cv=2), on_skip=None)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("bias", ["free", "penalised", "none"])
def test_each_fold_is_a_fit_of_its_own(dtype, bias, monkeypatch):
    """The gap of every fold and every C, from scores of single fits to the rows of the fold."""
    if dtype is np.float32:
        monkeypatch.setattr("offshelf.logistic.solver.FLOAT64_VALUES", 0)
    values, targets = blobs(450, 3)
    members = np.ones((450, 3), bool)
    members[:200, 0] = members[250:, 1] = False
    problems = Problems(targets, 3, members, np.ones((450, 1)), bias)
    for _, solution in solve(values, problems, CS, 1e-6):
        assert solution.gap_KV.max() <= 1e-6
        for variant in range(3):
            rows = members[:, variant]
            alone = LogisticProbe(solution.C, bias=bias, tol=1e-8).fit(values[rows], targets[rows])
            scores = solution.decisions(np.arange(450), variant)
            centred = scores - scores.mean(axis=1, keepdims=True)
            expected = alone.decision_function(values)
            np.testing.assert_allclose(centred, expected - expected.mean(axis=1, keepdims=True), atol=0.05)


@EDGE
def test_chosen_by_log_loss():
    """The scores of the curve are those of scikit-learn's log loss of single fits."""
    values, targets = blobs(420, 3)
    fitted = LogisticProbeCV(CS, cv=3, scoring="log_loss", tol=1e-7).fit(values, targets)
    folds = list(StratifiedKFold(3, shuffle=True, random_state=0).split(values, targets))
    for row, C in enumerate(CS):
        for fold, (train, test) in enumerate(folds):
            alone = LogisticProbe(C, tol=1e-7).fit(values[train], targets[train])
            expected = -log_loss(targets[test], alone.predict_proba(values[test]))
            assert fitted.cv_results_[f"split{fold}_test_score"][row] == pytest.approx(expected, abs=2e-3)
    assert CS[int(fitted.cv_results_["mean_test_score"].argmax())] == fitted.C_
    whole = relative_gap(values, targets, np.ones(420), fitted.coef_, fitted.intercept_, fitted.C_, "free")
    assert whole <= 1e-7


@EDGE
def test_a_given_validation_split_and_several_labels():
    """One pair of rows; a C for each label."""
    values, targets = blobs(300, 3)
    split = [(np.arange(200), np.arange(200, 300))]
    single = LogisticProbeCV(CS, cv=split).fit(values, targets)
    assert single.held_out_score_.shape == (1,)
    alone = LogisticProbe(single.C_).fit(values[:200], targets[:200])
    assert single.held_out_score_[0] == pytest.approx(alone.score(values[200:], targets[200:]), abs=0.02)
    labels = np.eye(3, dtype=int)[targets]
    for scoring in ("average_precision", "log_loss", "accuracy"):
        fitted = LogisticProbeCV(CS, cv=3, scoring=scoring, multiclass="ovr").fit(values, labels)
        assert fitted.C_ in CS
    each = LogisticProbeCV(CS, cv=3, scoring="log_loss", select="per_class", multiclass="ovr").fit(values, labels)
    assert each.C_.shape == (3,)
    for label, C in enumerate(each.C_):
        own = LogisticProbe(C).fit(values, labels[:, label])
        np.testing.assert_allclose(each.coef_[label], own.coef_[0], atol=0.02)


@EDGE
def test_a_class_that_a_fold_lacks():
    """With a free bias its probability there is 0: it is never predicted, and nothing else changes."""
    values, targets = blobs(450, 3)
    rare = np.where(np.arange(450) < 5, 3, targets)
    fold = [(np.arange(5, 400), np.r_[0:5, 400:450])]
    fitted = LogisticProbeCV(CS, cv=fold).fit(values, rare)
    without = LogisticProbe(fitted.C_).fit(values[5:400], rare[5:400])
    right = (without.predict(values[400:]) == rare[400:]).sum() / 55
    assert fitted.held_out_score_[0] == pytest.approx(right, abs=0.02)
    assert set(fitted.classes_) == {0, 1, 2, 3}


@EDGE
@pytest.mark.parametrize("bias", ["free", "penalised", "none"])
def test_labels_that_all_rows_have_or_none_or_that_do_not_count(bias):
    """In all rows or in those of a fold, at every C: the other labels are as without them."""
    values, targets = blobs(90, 3)
    labels = np.eye(3, dtype=int)[targets]
    odd = np.stack([np.ones(90), np.zeros(90), np.arange(90) < 1, np.arange(90) % 2], axis=1).astype(int)
    weights = np.ones((90, 7))
    weights[:, 6] = 0
    Cs = (0.01, 0.1, 1.0, 10.0)
    fitted = LogisticProbeCV(Cs, cv=3, bias=bias).fit(values, np.hstack([labels, odd]), weights)
    alone = LogisticProbe(fitted.C_, bias=bias).fit(values, labels)

    assert fitted.dual_gap_.max() <= 1e-4
    assert (fitted.predict(values)[:, :3] == alone.predict(values)).mean() > 0.99
    assert not fitted.coef_[6].any()
    if bias == "free":
        assert not fitted.coef_[3:5].any()


@EDGE
def test_works_with_scikit_learn(tmp_path):
    """Pipelines, grid searches, clones, skops files."""
    values, targets = blobs(150, 3)
    pipe = make_pipeline(StandardScaler(), LogisticProbeCV((0.1, 1.0), cv=2))
    search = GridSearchCV(pipe, {"logisticprobecv__multiclass": ["multinomial", "ovr"]}, cv=2).fit(values, targets)
    skops.io.dump(search.best_estimator_, tmp_path / "model.skops")
    read = skops.io.load(tmp_path / "model.skops", trusted=["offshelf.logistic.logistic_probe_cv.LogisticProbeCV"])

    np.testing.assert_array_equal(read.predict_proba(values), search.predict_proba(values))
    assert clone(pipe).get_params()["logisticprobecv__Cs"] == (0.1, 1.0)


def test_one_c_for_a_multinomial_problem():
    """It has no problems of single classes."""
    with pytest.raises(ValueError, match="select=per_class needs binary problems, multiclass=ovr"):
        LogisticProbeCV(select="per_class").fit(*blobs(60, 3))
