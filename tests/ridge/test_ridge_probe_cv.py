"""RidgeProbeCV: each fold is a fit of its own, and the choice is scikit-learn's."""

import numpy as np
import pandas as pd
import pytest
import skops.io
from number_folds import number_folds
from sklearn.base import clone
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.metrics import mean_absolute_error, r2_score
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, LeaveOneOut, ShuffleSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator
from test_ridge_probe import SHAPES, numbers

import offshelf.ridge
from offshelf.ridge import RidgeProbeCV
from offshelf.svm import GridEdgeWarning

ALPHAS = (1e-3, 0.1, 1.0, 10.0, 1e3)
EDGE = pytest.mark.filterwarnings("ignore::offshelf.svm.GridEdgeWarning")


@EDGE
@pytest.mark.filterwarnings("ignore")  # of its checks
def test_is_a_scikit_learn_estimator():
    """All of its checks."""
    check_estimator(RidgeProbeCV(cv=2, scoring="neg_mean_squared_error"), on_skip=None)


@EDGE
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", ["k-fold", "overlapping", "partial"])
@pytest.mark.parametrize("weighted", [False, True])
def test_each_fold_is_a_fit_of_its_own(shape, kind, weighted):
    """The score of every fold and every penalty is that of a Ridge fitted to the rows of the fold alone."""
    X, y, weights = numbers(*shape)
    weights = weights if weighted else np.ones(len(X))
    splits = {
        "k-fold": list(KFold(5, shuffle=True, random_state=0).split(X)),
        "overlapping": list(ShuffleSplit(6, test_size=0.3, random_state=0).split(X)),
        "partial": [(np.arange(20), np.arange(15, 30)), (np.arange(5, 25), np.arange(30, 35))],
    }[kind]
    fitted = RidgeProbeCV(ALPHAS, cv=splits).fit(X, y, weights)
    assert list(fitted.cv_results_["alpha"]) == sorted(ALPHAS, reverse=True)
    for row, alpha in enumerate(fitted.cv_results_["alpha"]):
        for fold, (train, test) in enumerate(splits):
            alone = Ridge(alpha, solver="svd").fit(X[train], y[train], weights[train])
            expected = r2_score(y[test], alone.predict(X[test]), sample_weight=weights[test])
            assert fitted.cv_results_[f"split{fold}_test_score"][row] == pytest.approx(expected, abs=1e-6)


@EDGE
@pytest.mark.parametrize("shape", SHAPES)
def test_the_choice_is_that_of_ridge_cv(shape):
    """k folds and leave-one-out; and the model is the one with the chosen penalty."""
    X, y, _ = numbers(*shape)
    alphas = np.logspace(-4, 4, 17)
    folds = number_folds(y, 5)
    theirs = GridSearchCV(Ridge(solver="svd"), {"alpha": alphas}, cv=folds).fit(X, y)
    ours = RidgeProbeCV(alphas).fit(X, y)
    assert ours.alpha_ == theirs.best_params_["alpha"] == RidgeCV(alphas, cv=folds).fit(X, y).alpha_
    assert ours.held_out_score_.mean() == pytest.approx(theirs.best_score_, abs=1e-6)
    np.testing.assert_allclose(ours.coef_, theirs.best_estimator_.coef_, atol=1e-6)

    few = slice(0, 40)
    one_out = RidgeProbeCV(alphas, cv=LeaveOneOut().split(X[few]), scoring="neg_mean_squared_error").fit(X[few], y[few])
    assert one_out.alpha_ == RidgeCV(alphas).fit(X[few], y[few]).alpha_


@EDGE
@pytest.mark.parametrize("shape", SHAPES)
def test_views_of_a_sample_are_in_one_fold_and_averaged(shape):
    """The folds are those of the samples; a sample is scored by the mean of its predictions."""
    X, y, _ = numbers(*shape)
    views, images = np.concatenate([X, X[::-1] + 0.1]), np.concatenate([np.arange(len(X)), np.arange(len(X))[::-1]])
    labels = y[images]
    fitted = RidgeProbeCV((1.0, 10.0), cv=3, scoring="neg_mean_absolute_error").fit(views, labels, groups=images)
    for fold, (train, test) in enumerate(number_folds(y, 3)):
        mine = np.isin(images, train)
        alone = Ridge(10.0, solver="svd").fit(views[mine], labels[mine])
        fused = (alone.predict(X[test]) + alone.predict(X[test] + 0.1)) / 2
        expected = -mean_absolute_error(y[test], fused)
        assert fitted.cv_results_[f"split{fold}_test_score"][0] == pytest.approx(expected, abs=1e-6)


@EDGE
@pytest.mark.parametrize("shape", SHAPES)
def test_rows_without_weight_change_nothing(shape):
    """Neither in training nor in the score; the folds are those of all rows."""
    X, y, _ = numbers(*shape)
    weights = (np.arange(len(X)) % 4 > 0).astype(float)
    odd = np.where(weights > 0, y, 1e6)
    ours = RidgeProbeCV(ALPHAS, cv=3).fit(X, odd, weights)
    kept = weights > 0
    place = np.cumsum(kept) - 1
    splits = [(place[train[kept[train]]], place[test[kept[test]]]) for train, test in number_folds(odd, 3)]
    without = RidgeProbeCV(ALPHAS, cv=splits).fit(X[kept], y[kept])
    np.testing.assert_allclose(ours.cv_results_["mean_test_score"], without.cv_results_["mean_test_score"])
    np.testing.assert_allclose(ours.coef_, without.coef_)


@EDGE
def test_one_standard_error_and_a_scoring_function():
    """The largest penalty that is about as good; a function gets numbers, predictions and weights."""
    X, y, _ = numbers(60, 90)
    by_function = RidgeProbeCV(ALPHAS, scoring=lambda truth, said, weights: -np.abs(truth - said).mean()).fit(X, y)
    by_name = RidgeProbeCV(ALPHAS, scoring="neg_mean_absolute_error").fit(X, y)
    np.testing.assert_allclose(by_function.held_out_score_, by_name.held_out_score_)
    simple = RidgeProbeCV(ALPHAS, one_standard_error=True).fit(X, y)
    mean, std = (simple.cv_results_[f"{name}_test_score"] for name in ("mean", "std"))
    expected = simple.cv_results_["alpha"][np.argmax(mean >= mean.max() - std[mean.argmax()] / 2)]
    assert simple.alpha_ == expected >= RidgeProbeCV(ALPHAS).fit(X, y).alpha_


@EDGE
@pytest.mark.parametrize("name", ["RidgeProbe", "RidgeProbeCV"])
def test_works_with_scikit_learn(name, tmp_path):
    """Pipelines, grid searches, clones, skops files, data frames."""
    X, y, _ = numbers(60, 5)
    grid = {"alpha": [0.1, 10.0]} if name == "RidgeProbe" else {"alphas": [(0.1, 1.0), (10.0, 100.0)]}
    pipe = make_pipeline(StandardScaler(), getattr(offshelf.ridge, name)())
    search = GridSearchCV(pipe, {f"{name.lower()}__{key}": values for key, values in grid.items()}, cv=2)
    search.fit(pd.DataFrame(X), pd.Series(y))
    skops.io.dump(search.best_estimator_, tmp_path / "model.skops")
    module = {"RidgeProbe": "ridge_probe", "RidgeProbeCV": "ridge_probe_cv"}[name]
    read = skops.io.load(tmp_path / "model.skops", trusted=[f"offshelf.ridge.{module}.{name}"])

    np.testing.assert_array_equal(read.predict(pd.DataFrame(X)), search.predict(pd.DataFrame(X)))
    assert clone(pipe).get_params()[name.lower()].get_params() == pipe[-1].get_params()


@EDGE
def test_duplicates_and_a_tiny_penalty():
    """Rows that occur twice, in different folds: the Gram matrix is singular, and the fits are those of single ones."""
    X, y, _ = numbers(20, 60)
    X, y = np.concatenate([X, X]), np.concatenate([y, y + 1])
    fitted = RidgeProbeCV((1e-8, 1.0), cv=GroupKFold(4).split(X, groups=np.arange(40) % 8)).fit(X, y)
    for fold, (train, test) in enumerate(GroupKFold(4).split(X, groups=np.arange(40) % 8)):
        alone = Ridge(1e-8, solver="svd").fit(X[train], y[train])
        expected = r2_score(y[test], alone.predict(X[test]))
        assert fitted.cv_results_[f"split{fold}_test_score"][1] == pytest.approx(expected, abs=1e-4)


def test_what_is_warned_of_and_refused():
    """The end of the grid; settings that do not fit."""
    X, y, _ = numbers(40, 5)
    with pytest.warns(GridEdgeWarning, match="The best alpha, 1000"):
        RidgeProbeCV((1e3, 1e5)).fit(X, np.random.default_rng(1).normal(size=40) + X[:, 0] / 100)
    with pytest.raises(ValueError, match="scoring must be a function or one of r2"):
        RidgeProbeCV(scoring="accuracy").fit(X, y)
    with pytest.raises(ValueError, match="is not defined on the held-out samples"):
        RidgeProbeCV().fit(X, np.ones(40))
    assert RidgeProbeCV((2.0,)).fit(X, np.ones(40)).alpha_ == 2.0
