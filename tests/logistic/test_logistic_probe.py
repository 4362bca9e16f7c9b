"""LogisticProbe against scikit-learn, its own checks, certificates from their definition, and equivalences."""

import numpy as np
import pytest
import skops.io
from logistic_objective import binary_gap, primal, relative_gap
from sklearn.base import clone
from sklearn.datasets import load_digits, make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from offshelf.logistic import LogisticProbe
from offshelf.logistic.solver import newton

BIASES = ["free", "penalised", "none"]


def blobs(rows, classes, dims=20, seed=0):
    """Overlapping classes that share a mean, as deep features do."""
    values, targets = make_classification(
        rows, dims, n_informative=8, n_redundant=4, n_classes=classes, flip_y=0.1, class_sep=0.7, random_state=seed
    )
    return values + 1, targets


@pytest.mark.filterwarnings("ignore")  # of its checks
@pytest.mark.slow
@pytest.mark.parametrize("settings", [{}, {"multiclass": "ovr", "bias": "penalised"}])
def test_is_a_scikit_learn_estimator(settings):
    """All of its checks."""
    check_estimator(LogisticProbe(**settings), on_skip=None)


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("C", [1e-3, 1.0, 1e3])
def test_same_as_scikit_learn(classes, C):
    """Its L-BFGS at a small tolerance: the objective, probabilities, classes."""
    values, targets = blobs(500, classes)
    theirs = LogisticRegression(C=C, tol=1e-10, max_iter=20_000).fit(values, targets)
    ours = LogisticProbe(C, tol=1e-6).fit(values, targets)

    np.testing.assert_allclose(ours.predict_proba(values), theirs.predict_proba(values), atol=1e-3)
    np.testing.assert_allclose(np.exp(ours.predict_log_proba(values)), ours.predict_proba(values), atol=1e-12)
    assert (ours.predict(values) == theirs.predict(values)).mean() > 0.99
    if classes > 2:
        each = [primal(values, targets, np.ones(500), m.coef_, m.intercept_, C) for m in (ours, theirs)]
        assert each[0] <= each[1] * (1 + 1e-6)


@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize("C", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_certificate_is_that_of_the_definition(bias, C, dtype, monkeypatch):
    """Multinomial, with sample weights, in float64 and in float32 arithmetic."""
    monkeypatch.setattr("offshelf.logistic.solver.EXACT_ROWS", 0)
    if dtype is np.float32:
        monkeypatch.setattr("offshelf.logistic.solver.FLOAT64_VALUES", 0)
    values, targets = blobs(300, 4)
    weights = np.random.default_rng(0).random(300)
    fitted = LogisticProbe(C, bias=bias, intercept_scaling=2.0, tol=1e-4).fit(values, targets, weights)
    found = relative_gap(values, targets, weights, fitted.coef_, fitted.intercept_, C, bias, 2.0)

    assert fitted.dual_gap_.shape == (1,)
    assert fitted.dual_gap_[0] <= 1e-4
    assert found <= 1e-4
    if bias != "free":
        assert found == pytest.approx(fitted.dual_gap_[0], rel=1e-3, abs=1e-9)


@pytest.mark.parametrize("bias", BIASES)
def test_one_vs_rest_and_several_labels(bias):
    """Each label is a binary problem of its own, rows of weight 0 are left out of it."""
    values, targets = blobs(300, 3)
    labels = np.eye(3, dtype=int)[targets]
    ovr = LogisticProbe(multiclass="ovr", bias=bias).fit(values, targets)
    several = LogisticProbe(bias=bias).fit(values, labels)
    np.testing.assert_allclose(several.coef_, ovr.coef_, atol=1e-8)
    assert several.predict_proba(values).shape == (300, 3)
    np.testing.assert_allclose(ovr.predict_proba(values).sum(axis=1), 1)

    counts = np.random.default_rng(1).integers(0, 2, labels.shape).astype(float)
    fitted = LogisticProbe(bias=bias).fit(values, labels, counts)
    for label in range(3):
        kept = counts[:, label] > 0
        alone = LogisticProbe(bias=bias).fit(values[kept], labels[kept, label])
        np.testing.assert_allclose(fitted.coef_[label], alone.coef_[0], atol=1e-6)
        signs = np.where(labels[kept, label] > 0, 1, -1)
        gap = binary_gap(
            values[kept], signs, np.ones(kept.sum()), fitted.coef_[label], fitted.intercept_[label], 1.0, bias
        )
        assert gap <= 1e-4


def test_class_weights_are_those_of_scikit_learn():
    """Balanced, by class, and as sample weights."""
    values, targets = blobs(300, 3)
    targets[:60] = 0
    for class_weight in ("balanced", {0: 0.5, 2: 3.0}):
        ours = LogisticProbe(class_weight=class_weight).fit(values, targets)
        theirs = LogisticRegression(class_weight=class_weight, tol=1e-10, max_iter=20_000).fit(values, targets)
        np.testing.assert_allclose(ours.predict_proba(values), theirs.predict_proba(values), atol=1e-3)


def hard_cases():
    """By name: values and targets."""
    random = np.random.default_rng(0)
    centres = random.normal(size=(5, 8))
    near = np.repeat(centres, 30, axis=0) + 0.01 * random.normal(size=(150, 8))
    return {
        "one sample of each class": (centres, np.arange(5)),
        "separable": (near, np.repeat(np.arange(5), 30)),
        "duplicated": (np.repeat(random.normal(size=(40, 8)), 10, axis=0), np.repeat(np.arange(40) % 4, 10)),
        "constant": (np.hstack([random.normal(size=(90, 2)), np.full((90, 3), 7.0)]), np.arange(90) % 3),
        "badly scaled": (
            random.normal(size=(90, 4)) * [1e-4, 1.0, 1e3, 10.0] + [0, 0, 1e4, 0],
            np.arange(90) % 3,
        ),
    }


@pytest.mark.parametrize("C", [1e-6, 1e6])
@pytest.mark.parametrize("bias", BIASES)
@pytest.mark.parametrize("weighted", [False, True])
def test_hard_cases(C, bias, weighted):
    """Separable classes, one sample each, duplicates, constant and badly scaled features; weights of all sizes."""
    for values, targets in hard_cases().values():
        weights = 10.0 ** (np.arange(len(targets)) % 5 - 2) if weighted else np.ones(len(targets))
        fitted = LogisticProbe(C, bias=bias).fit(values, targets, weights)
        assert fitted.dual_gap_.max() <= 1e-4
        assert relative_gap(values, targets, weights, fitted.coef_, fitted.intercept_, C, bias) <= 1.01e-4


@pytest.mark.parametrize("C", [1e-6, 1e6])
@pytest.mark.parametrize("bias", BIASES)
def test_hard_cases_one_vs_rest(C, bias):
    """The certificate of each binary problem."""
    for values, targets in hard_cases().values():
        fitted = LogisticProbe(C, multiclass="ovr", bias=bias).fit(values, targets)
        assert fitted.dual_gap_.shape == (len(fitted.classes_),)
        assert fitted.dual_gap_.max() <= 1e-4
        for number, (weights, intercept) in enumerate(zip(fitted.coef_, fitted.intercept_, strict=True)):
            signs = np.where(targets == number, 1, -1)
            assert binary_gap(values, signs, np.ones(len(signs)), weights, intercept, C, bias) <= 1.01e-4


SOLVED_BY_THEIRS = [
    (name, multiclass, C)
    for name in hard_cases()
    for multiclass in ("multinomial", "binary")
    for C in (1e-6, 1e-2, 1e2, 1e6)
    if (name, multiclass, C) != ("badly scaled", "multinomial", 1e6)  # their Hessian is singular
]


@pytest.mark.parametrize(("name", "multiclass", "C"), SOLVED_BY_THEIRS)
def test_hard_cases_are_scikit_learns(name, multiclass, C):
    """Its Newton's method: no smaller objective than the gap allows, and the same probabilities."""
    values, targets = hard_cases()[name]
    labels = targets if multiclass == "multinomial" else (targets == 0).astype(int)
    theirs = LogisticRegression(C=C, solver="newton-cholesky", tol=1e-12, max_iter=1000).fit(values, labels)
    ours = LogisticProbe(C, tol=1e-8).fit(values, labels)

    if multiclass == "multinomial":
        each = [primal(values, labels, np.ones(len(labels)), m.coef_, m.intercept_, C) for m in (ours, theirs)]
        assert each[0] <= each[1] * (1 + 1e-7)
    np.testing.assert_allclose(ours.predict_proba(values), theirs.predict_proba(values), atol=1e-3)


def test_rows_of_weight_zero_may_as_well_be_missing():
    """Also all rows of a class, which is then none."""
    values, targets = blobs(200, 4)
    weights = np.where((np.arange(200) % 3 == 0) | (targets == 2), 0.0, 2.0)
    kept = weights > 0
    for settings in ({}, {"multiclass": "ovr", "class_weight": "balanced"}):
        fitted = LogisticProbe(tol=1e-8, **settings).fit(values, targets, weights)
        without = LogisticProbe(tol=1e-8, **settings).fit(values[kept], targets[kept], weights[kept])
        assert fitted.classes_.tolist() == [0, 1, 3]
        np.testing.assert_allclose(fitted.predict_proba(values), without.predict_proba(values), atol=1e-6)


def test_fewer_rows_than_dimensions():
    """Coordinates in the span of the rows: the same solution as in all dimensions."""
    values, targets = blobs(60, 3, dims=200)
    for bias in BIASES:
        wide = LogisticProbe(10.0, bias=bias, tol=1e-8).fit(values, targets)
        gap = relative_gap(values, targets, np.ones(60), wide.coef_, wide.intercept_, 10.0, bias)
        assert gap <= 1e-8


@pytest.mark.parametrize("rows", [600, 3000])
def test_memory_mapped_rows_and_threads_change_no_digit(rows, tmp_path, monkeypatch):
    """float16 on disk, and the same in memory as float32; one thread, and several."""
    monkeypatch.setattr("offshelf.logistic.solver.FLOAT64_VALUES", 0)
    values, targets = blobs(rows, 3)
    path = tmp_path / "rows.npy"
    np.save(path, values.astype(np.float16))
    mapped = np.load(path, mmap_mode="r")
    found = []
    for cores in (1, 2, 3):
        monkeypatch.setattr("offshelf.svm.solver.threads.usable_cores", lambda cores=cores: range(cores))
        found.append(LogisticProbe().fit(mapped, targets))
    in_memory = LogisticProbe().fit(np.array(mapped).astype(np.float32), targets)

    for other in (*found[1:], in_memory):
        assert (other.coef_ == found[0].coef_).all()
        assert (other.intercept_ == found[0].intercept_).all()


def test_labels_that_all_rows_have():
    """No optimum with a free bias: the log odds; with another bias the optimum."""
    values, _ = blobs(60, 2)
    labels = np.stack([np.arange(60) % 2, np.ones(60, int), np.zeros(60, int)], axis=1)
    fitted = LogisticProbe().fit(values, labels)
    np.testing.assert_allclose(fitted.intercept_[1:], [np.log(61), -np.log(61)])
    assert not fitted.coef_[1:].any()
    assert (fitted.predict(values)[:, 1:] == [1, 0]).all()
    penalised = LogisticProbe(bias="penalised").fit(values, labels)
    assert (
        binary_gap(values, np.ones(60), np.ones(60), penalised.coef_[1], penalised.intercept_[1], 1.0, "penalised")
        < 1e-4
    )


def test_warm_start(monkeypatch):
    """A fit from its own solution takes one evaluation; a start changes the path, not the optimum."""
    values, targets = blobs(600, 3)
    evaluations = []
    real = newton.Batch.evaluate
    monkeypatch.setattr(newton.Batch, "evaluate", lambda *given: (evaluations.append(1), real(*given))[1])
    fitted = LogisticProbe(10.0, warm_start=True, tol=1e-8).fit(values, targets)
    cold, before = len(evaluations), fitted.coef_
    fitted.fit(values, targets)
    assert len(evaluations) - cold == 1 < cold
    np.testing.assert_allclose(fitted.coef_, before, rtol=1e-9)
    fitted.set_params(C=20.0).fit(values, targets)
    np.testing.assert_allclose(fitted.coef_, LogisticProbe(20.0, tol=1e-8).fit(values, targets).coef_, atol=1e-3)


def test_works_with_scikit_learn(tmp_path):
    """Pipelines, grid searches, clones, skops files."""
    values, targets = load_digits(return_X_y=True)
    values, targets = values[:300], targets[:300]
    pipe = make_pipeline(StandardScaler(), LogisticProbe())
    search = GridSearchCV(pipe, {"logisticprobe__C": [0.01, 1.0]}, cv=2, scoring="neg_log_loss").fit(values, targets)
    assert search.best_score_ > -0.5
    path = tmp_path / "model.skops"
    skops.io.dump(search.best_estimator_, path)
    read = skops.io.load(path, trusted=["offshelf.logistic.logistic_probe.LogisticProbe"])
    np.testing.assert_array_equal(read.predict_proba(values), search.predict_proba(values))
    assert clone(LogisticProbe(3.0, bias="none")).get_params()["bias"] == "none"


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"C": 0.0}, "C must be a positive number; got 0"),
        ({"C": float("nan")}, "C must be a positive number; got nan"),
        ({"tol": -1.0}, "tol must be a positive number"),
        ({"multiclass": "ovo"}, "multiclass must be one of multinomial, ovr; got 'ovo'"),
        ({"bias": True}, "bias must be one of penalised, free, none"),
        ({"class_weight": "equal"}, "class_weight must be None, 'balanced' or weights by class"),
    ],
)
def test_bad_settings(settings, sentence):
    """One sentence, before any work."""
    with pytest.raises(ValueError, match=sentence):
        LogisticProbe(**settings).fit(*blobs(30, 2))


def test_stopping_short_is_said(monkeypatch):
    """Too few steps: a warning with the gap."""
    monkeypatch.setattr(newton, "NEWTON_STEPS", 2)
    values, targets = blobs(600, 3)
    with pytest.warns(ConvergenceWarning, match="1 of 1 logistic problems did not converge") as caught:
        fitted = LogisticProbe(100.0, tol=1e-9).fit(values, targets)
    assert fitted.dual_gap_[0] > 1e-9
    assert f"gap is {fitted.dual_gap_[0]:.1e}, not 1.0e-09" in str(caught[0].message)
