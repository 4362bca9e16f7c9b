"""Regressors as a run's classifier, against scikit-learn's own search, and what is refused."""

import numpy as np
import pytest
from hydra.utils import instantiate
from number_folds import number_folds
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.svm import SVC

from offshelf.classifier import Scorer, Tuned
from offshelf.config import load, plain
from offshelf.errors import ConfigError
from offshelf.ridge import RidgeProbeCV

ALPHAS = [0.01, 1.0, 100.0]


def ages(images=80, views=1, dims=6, seed=0):
    """Features [N, V, D] of images, and a number that they nearly determine, [N]."""
    random = np.random.default_rng(seed)
    values = random.normal(size=(images, 1, dims)) + 0.1 * random.normal(size=(images, views, dims))
    return values, values[:, :, :3].mean(axis=1).sum(axis=1) * 10 + 40 + random.normal(0, 3, images)


def test_the_option_is_the_estimator_that_it_names():
    """`classifier=ridge`, with the grid of its YAML."""
    node = plain(load("classify", ["classifier=ridge"]))["classifier"]
    made = instantiate(node, _convert_="all")
    values, targets = ages()
    found = made.fit(values, targets, "r2")

    assert made.predicts_numbers
    alone = Ridge(found.value, solver="svd").fit(values[:, 0], targets)
    np.testing.assert_allclose(found.score(values)[:, 0], alone.predict(values[:, 0]), atol=1e-6)
    assert found.calibration is None


@pytest.mark.parametrize("estimator", [RidgeProbeCV(), Ridge(solver="svd")])
@pytest.mark.parametrize("order", ["smallest", "largest"])
def test_curve_is_grid_search(estimator, order):
    """R² split by split, by the estimator's own search and by offshelf's, in either order of the grid."""
    values, targets = ages()
    found = Tuned(estimator, alpha=ALPHAS, folds=4, seed=3, fusion="mean", simplest=order).fit(values, targets, "r2")
    folds = number_folds(targets, 4, 3)
    search = GridSearchCV(Ridge(solver="svd"), {"alpha": list(found.curve.values)}, cv=folds).fit(values[:, 0], targets)
    theirs = np.array([search.cv_results_[f"split{fold}_test_score"] for fold in range(4)]).T

    assert found.curve.scores == pytest.approx(theirs)
    assert found.value == search.best_params_["alpha"]
    assert found.held_out.mean() == pytest.approx(search.best_score_)


@pytest.mark.parametrize("estimator", [RidgeProbeCV(), Ridge(solver="svd")])
def test_views_of_an_image_are_averaged(estimator):
    """Each is a training row, in the fold of its image; the prediction is the mean."""
    values, targets = ages(views=3)
    found = Tuned(estimator, alpha=[1.0, 10.0], folds=3, fusion="mean").fit(values, targets, "mean_absolute_error")
    for fold, (train, test) in enumerate(number_folds(targets, 3)):
        alone = Ridge(1.0, solver="svd").fit(values[train].reshape(-1, 6), np.repeat(targets[train], 3))
        fused = alone.predict(values[test].reshape(-1, 6)).reshape(-1, 3).mean(axis=1)
        row = found.curve.values.index(1.0)
        assert found.curve.scores[row, fold] == pytest.approx(np.abs(fused - targets[test]).mean())
    averaged = Tuned(estimator, alpha=2.0, fusion="features").fit(values, targets, "r2").score(values)
    alone = Ridge(2.0, solver="svd").fit(values.mean(axis=1), targets)
    np.testing.assert_allclose(averaged[:, 0], alone.predict(values.mean(axis=1)), atol=1e-6)


def test_a_single_value_is_validated_on_request():
    """On the folds of the search."""
    values, targets = ages()
    given = Tuned(RidgeProbeCV(), alpha=1.0, validate=True, fusion="mean").fit(values, targets, "r2")
    searched = Tuned(RidgeProbeCV(), alpha=[1.0, 1e9], fusion="mean").fit(values, targets, "r2")
    assert given.held_out == pytest.approx(searched.held_out)


@pytest.mark.parametrize("estimator", [RidgeProbeCV(), Ridge(solver="svd")])
def test_folds_of_equal_numbers_do_not_count(estimator):
    """R² is not defined there: the choice is that of the other folds; in none of them, one sentence."""
    values, _ = ages(40)
    targets = np.where(np.arange(40) < 3, values[:, 0, 0] + 5, 0.0)
    found = Tuned(estimator, alpha=ALPHAS, folds=5, fusion="mean").fit(values, targets, "r2")
    held_out = [targets[test] for _, test in number_folds(targets, 5)]
    defined = [len(set(part)) > 1 for part in held_out]

    assert 0 < sum(defined) < 5
    assert (~np.isnan(found.curve.scores[0])).tolist() == defined
    means = found.curve.scores[:, defined].mean(axis=1)
    assert found.value == found.curve.values[int(means.argmax())]
    assert found.curve.mean == pytest.approx(means)
    with pytest.raises(ConfigError, match="is not defined on the held-out"):
        Tuned(estimator, alpha=ALPHAS, folds=40, fusion="mean").fit(values, targets, "r2")


def test_few_images():
    """Fewer folds than asked for, of two or more; with too few, or equal numbers, the penalty nearest 1."""
    values, targets = ages(7)
    made = Tuned(RidgeProbeCV(), alpha=ALPHAS, fusion="mean")
    few = made.for_few(targets, False)
    assert few.folds == 3 and few.values == tuple(ALPHAS)
    assert few.fit(values, targets, "r2").curve.known.shape == (3, 3)
    for numbers in (targets[:3], targets[:1], np.zeros(7), np.array([0.0, 0, 0, 0, 0, 0, 5])):
        unchosen = made.for_few(numbers, False)
        has_pair = len(numbers) == 7 and numbers[-1] == 5
        assert unchosen.values == (tuple(ALPHAS) if has_pair else (1.0,))
        assert unchosen.is_unchosen != has_pair
    scorer = Scorer(Ridge().fit(values[:, 0], targets), "mean", False)
    assert scorer(values).shape == (7, 1)


@pytest.mark.parametrize(
    ("estimator", "settings", "targets", "message"),
    [
        (
            RidgeProbeCV(),
            {"alpha": 1.0},
            None,
            "fusion is mean or features for RidgeProbeCV.*'sum'",
        ),
        (RidgeProbeCV(), {"alpha": 1.0, "fusion": "mean", "calibrate": True}, None, "have no probabilities"),
        (RidgeProbeCV(), {"alpha": 1.0, "fusion": "mean"}, np.arange(80) % 2, "predicts numbers, and the targets are"),
        (SVC(kernel="linear"), {"C": 1.0}, np.arange(80.0), "SVC predicts classes, and the targets are numbers"),
    ],
)
def test_what_does_not_fit_is_refused(estimator, settings, targets, message):
    """In one sentence."""
    with pytest.raises(ConfigError, match=message):
        Tuned(estimator, **settings).fit(ages()[0], targets)
