"""LinearSVM against liblinear, libsvm, scikit-learn's own checks, and equivalences."""

import warnings

import numpy as np
import pytest
import skops.io
from sklearn.base import clone
from sklearn.datasets import load_digits, make_classification
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.utils.estimator_checks import check_estimator
from svm_paths import in_pytorch

from offshelf.svm import LinearSVM
from offshelf.svm.solver.rows import Rows

pytestmark = pytest.mark.usefixtures("either_solver")
TOL = 1e-9
SETTINGS = [
    {},
    {"loss": "squared_hinge", "bias": "free"},
    {"multiclass": "ovo", "bias": "free"},
    {"multiclass": "ovo", "ovo_decision": "sum"},
    {"bias": "none"},
]
LIBLINEAR = [("hinge", 0.0), ("hinge", 1.0), ("hinge", 3.0), ("squared_hinge", 0.0), ("squared_hinge", 0.5)]
"""Loss and intercept_scaling; 0: no bias."""


def blobs(rows, classes, seed=0, dims=20):
    """Overlapping classes that share a mean, as deep features do: more rows than twice the dimensions, or fewer."""
    values, targets = make_classification(
        rows, dims, n_informative=8, n_redundant=4, n_classes=classes, flip_y=0.1, class_sep=0.7, random_state=seed
    )
    return values + 1, targets


def liblinear(loss, scaling, C=1.0, **settings):
    """Solved as far as float64 goes."""
    bias = {"fit_intercept": False} if scaling == 0 else {"intercept_scaling": scaling}
    return LinearSVC(loss=loss, C=C, dual=True, tol=1e-8, max_iter=1_000_000, random_state=0, **bias, **settings)


def same_as_liblinear(loss, scaling, C=1.0, **settings):
    """The same problem."""
    bias = {"bias": "none"} if scaling == 0 else {"intercept_scaling": scaling}
    return LinearSVM(C, loss=loss, tol=TOL, **bias, **settings)


def objective(machine, values, signs, loss, scaling, caps):
    """As in the documentation of liblinear, for one machine (w, b): ½|w|² + b²/2s² + Σ C_i loss."""
    weights, bias = machine
    slack = np.maximum(1 - signs * (values @ weights + bias), 0)
    penalty = 0 if scaling == 0 else (bias / scaling) ** 2
    return (weights @ weights + penalty) / 2 + caps @ (slack if loss == "hinge" else slack**2)


def machines(fitted):
    """(w, b) of each binary problem."""
    return list(zip(fitted.coef_, np.broadcast_to(fitted.intercept_, len(fitted.coef_)), strict=True))


def failures(results):
    """Names of the checks."""
    return {result["check_name"] for result in results if result["status"] in ("failed", "xfail")}


def both(settings):
    """With each solver; in PyTorch in every run the default settings alone."""
    mark = pytest.mark.soak if settings else pytest.mark.slow
    return [pytest.param("compiled", settings), pytest.param("in_pytorch", settings, marks=mark)]


@pytest.mark.parametrize(
    ("either_solver", "settings"),
    [case for settings in SETTINGS for case in both(settings)],
    indirect=["either_solver"],
    ids=str,
)
def test_check_estimator(settings):
    """No check fails, save one without a bias, which liblinear cannot pass either.

    It wants all rows in one class, however they lie.
    """
    impossible = set()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = check_estimator(LinearSVM(**settings), on_fail=None, on_skip=None)
        if settings.get("bias") == "none":
            theirs = check_estimator(LinearSVC(fit_intercept=False), on_fail=None, on_skip=None)
            impossible = failures(theirs) & {"check_class_weight_classifiers"}

    assert failures(results) == impossible
    assert sum(result["status"] == "passed" for result in results) > 40


@in_pytorch("soak")
@pytest.mark.parametrize("rows", [60, 300])
@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize(("loss", "scaling"), LIBLINEAR)
def test_liblinear(loss, scaling, classes, rows):
    """The same decision values, and an objective that is not larger, by the dual and by the primal solver."""
    values, targets = blobs(rows, classes, dims=40)
    for C in (0.001, 0.1):
        theirs = liblinear(loss, scaling, C).fit(values, targets)
        ours = same_as_liblinear(loss, scaling, C).fit(values, targets)

        assert ours.decision_function(values) == pytest.approx(theirs.decision_function(values), abs=1e-4)
        assert (ours.predict(values) == theirs.predict(values)).mean() > 0.97  # values may be equal
        for number, (mine, other) in enumerate(zip(machines(ours), machines(theirs), strict=True)):
            signs = np.where(targets == (1 if classes == 2 else number), 1, -1)
            arguments = (values, signs, loss, scaling, np.full(rows, C))
            assert objective(mine, *arguments) <= objective(other, *arguments) * (1 + 1e-8)
        assert ours.dual_gap_.max() <= TOL
        assert ours.coef_.dtype == ours.intercept_.dtype == ours.dual_gap_.dtype == np.float64


@pytest.mark.parametrize("rows", [60, 300])
@pytest.mark.parametrize("classes", [2, 4])
def test_libsvm(classes, rows):
    """Pairs with a free bias: the values of the pairs, the votes' labels, and of two classes."""
    values, targets = blobs(rows, classes, seed=1)
    names = np.array(["ape", "bee", "cat", "dog"])[targets]
    for C in (0.01, 1.0):
        theirs = SVC(C=C, kernel="linear", tol=1e-9, decision_function_shape="ovo").fit(values, names)
        ours = LinearSVM(C, multiclass="ovo", bias="free", decision_function_shape="ovo", tol=1e-9).fit(values, names)

        assert ours.decision_function(values) == pytest.approx(theirs.decision_function(values), abs=1e-3)
        assert ours.coef_ == pytest.approx(theirs.coef_, abs=1e-3)
        assert (ours.predict(values) == theirs.predict(values)).mean() > 0.99
        assert (ours.classes_ == theirs.classes_).all()


def test_pairs_by_votes_and_by_sums():
    """By hand, from the pairs' values; of equal votes the first class."""
    values, targets = blobs(200, 4, seed=2)
    pairs = LinearSVM(multiclass="ovo", decision_function_shape="ovo").fit(values, targets).decision_function(values)
    votes, sums = np.zeros((2, 200, 4))
    for pair, (first, second) in enumerate((i, j) for i in range(4) for j in range(i + 1, 4)):
        won = pairs[:, pair] > 0
        votes[np.arange(200), np.where(won, first, second)] += 1
        sums[:, first] += pairs[:, pair]
        sums[:, second] -= pairs[:, pair]
    by_votes, by_sums = (
        LinearSVM(multiclass="ovo", ovo_decision=which).fit(values, targets) for which in ("votes", "sum")
    )

    scores = by_votes.decision_function(values)
    assert (scores.round() == votes).all()
    assert (np.argmax(scores, axis=1) == votes.argmax(axis=1)).all()
    assert (by_votes.predict(values) == votes.argmax(axis=1)).all()
    assert by_sums.decision_function(values) == pytest.approx(sums)
    assert (by_sums.predict(values) == sums.argmax(axis=1)).all()
    assert len(np.unique(votes.max(axis=1))) > 1


@pytest.mark.parametrize("class_weight", ["balanced", {0: 5.0, 1: 0.5, 2: 1.0}], ids=str)
def test_class_weight(class_weight):
    """One-vs-rest weighs the positive class as liblinear does; pairs weigh both as libsvm does."""
    values, targets = blobs(120, 3, seed=3)
    keep = (targets > 0) | (np.arange(120) % 3 > 0)
    values, targets = values[keep], targets[keep]
    theirs = liblinear("hinge", 1, 0.1, class_weight=class_weight).fit(values, targets)
    ours = same_as_liblinear("hinge", 1, 0.1, class_weight=class_weight).fit(values, targets)
    assert ours.decision_function(values) == pytest.approx(theirs.decision_function(values), abs=1e-4)

    settings = {"decision_function_shape": "ovo", "class_weight": class_weight, "tol": 1e-9}
    theirs = SVC(C=0.1, kernel="linear", **settings).fit(values, targets)
    ours = LinearSVM(0.1, multiclass="ovo", bias="free", **settings).fit(values, targets)
    assert ours.decision_function(values) == pytest.approx(theirs.decision_function(values), abs=2e-4)


@pytest.mark.parametrize("class_weight", ["balanced", {0: 5.0, 1: 0.5}], ids=str)
def test_class_weight_of_two(class_weight):
    """Two classes: both weigh."""
    values, targets = blobs(90, 2, seed=4)
    theirs = liblinear("squared_hinge", 1, class_weight=class_weight).fit(values[20:], targets[20:])
    ours = same_as_liblinear("squared_hinge", 1, class_weight=class_weight).fit(values[20:], targets[20:])

    assert ours.decision_function(values) == pytest.approx(theirs.decision_function(values), abs=1e-4)


@pytest.mark.parametrize("multiclass", ["ovr", "ovo"])
@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
def test_sample_weight(loss, multiclass):
    """liblinear's and libsvm's weights; 0 removes a row, 2 is the row twice."""
    values, targets = blobs(90, 3, seed=5)
    weights = np.random.default_rng(0).choice([0.0, 0.3, 1.0, 2.0], 90)
    tol, near = (TOL, 1e-4) if multiclass == "ovr" else (1e-6, 1e-2)
    ours = LinearSVM(0.1, loss=loss, multiclass=multiclass, tol=tol).fit(values, targets, weights)
    counts = np.repeat(np.arange(90), np.random.default_rng(1).integers(0, 3, 90))
    counted = np.bincount(counts, minlength=90)
    by_weight = clone(ours).fit(values, targets, counted)
    by_repeats = clone(ours).fit(values[counts], targets[counts])

    assert by_weight.decision_function(values) == pytest.approx(by_repeats.decision_function(values), abs=near)
    if multiclass == "ovr":
        theirs = liblinear(loss, 1, 0.1).fit(values, targets, weights)
        assert ours.decision_function(values) == pytest.approx(theirs.decision_function(values), abs=1e-4)
    elif loss == "hinge":
        settings = {"decision_function_shape": "ovo", "tol": 1e-9}
        theirs = SVC(C=0.1, kernel="linear", **settings).fit(values, targets, weights)
        free = LinearSVM(0.1, multiclass="ovo", bias="free", **settings).fit(values, targets, weights)
        assert free.decision_function(values) == pytest.approx(theirs.decision_function(values), abs=2e-4)


@pytest.mark.parametrize("class_weight", [None, "balanced", {1: 4.0}], ids=str)
@pytest.mark.parametrize("rows", [50, 150])
def test_labels_with_ignored_rows(rows, class_weight):
    """Several labels, difficult rows left out class by class: each class alone on its own rows, by liblinear."""
    random = np.random.default_rng(rows)
    values, _ = blobs(rows, 2, seed=6, dims=30)
    labels = (values[:, :3] + random.normal(size=(rows, 3)) > 1.5).astype(int)
    weights = (random.random((rows, 3)) > 0.2).astype(float)
    ours = LinearSVM(0.5, tol=TOL, class_weight=class_weight).fit(values, labels, weights)
    for number in range(3):
        kept = weights[:, number] > 0
        counts = np.bincount(labels[kept, number], minlength=2)
        sides = {"balanced": kept.sum() / 2 / counts}.get(str(class_weight), [1.0, 1.0])
        if isinstance(class_weight, dict):
            sides = [1.0, class_weight.get(number, 1.0)]
        caps = np.asarray(sides)[labels[:, number]]
        theirs = liblinear("hinge", 1, 0.5).fit(values[kept], labels[kept, number], caps[kept])
        mine = ours.decision_function(values)[:, number]
        assert mine == pytest.approx(theirs.decision_function(values), abs=1e-4)
    assert (ours.predict(values) == (ours.decision_function(values) > 0)).all()


@in_pytorch("soak")
def test_as_a_part():
    """Clones, works in a Pipeline and in GridSearchCV, with the scores of liblinear there."""
    values, targets = load_digits(return_X_y=True)
    values, targets = values[:300], targets[:300]
    grid = {"linearsvm__C": [1e-3, 1e-1]}
    search = GridSearchCV(make_pipeline(StandardScaler(), LinearSVM(tol=1e-6)), grid, cv=3).fit(values, targets)
    grid = {"linearsvc__C": [1e-3, 1e-1]}
    theirs = GridSearchCV(make_pipeline(StandardScaler(), liblinear("hinge", 1)), grid, cv=3).fit(values, targets)
    copy = clone(LinearSVM(3.0, loss="squared_hinge"))

    mean = "mean_test_score"
    assert search.cv_results_[mean] == pytest.approx(theirs.cv_results_[mean], abs=0.005)
    assert search.best_params_["linearsvm__C"] == theirs.best_params_["linearsvc__C"]
    assert (copy.C, copy.loss) == (3.0, "squared_hinge")


def test_skops(tmp_path):
    """A fitted model without pickle: it needs no trust beyond its own class."""
    values, targets = blobs(80, 3)
    fitted = LinearSVM(multiclass="ovo").fit(values, targets)
    skops.io.dump(fitted, tmp_path / "svm.skops")
    trusted = skops.io.get_untrusted_types(file=tmp_path / "svm.skops")
    loaded = skops.io.load(tmp_path / "svm.skops", trusted=trusted)

    assert trusted == ["offshelf.svm.linear_svm.LinearSVM"]
    assert (loaded.decision_function(values) == fitted.decision_function(values)).all()
    assert loaded.get_params() == fitted.get_params()


def test_memory_mapped_rows_are_streamed(tmp_path, monkeypatch):
    """More than a Gram matrix can hold are not kept in memory, though they come through scikit-learn's checks."""
    made, make = [], Rows.__init__
    monkeypatch.setattr(Rows, "__init__", lambda rows, *given: make(rows, *given) or made.append(rows))
    monkeypatch.setattr("offshelf.svm.solver.dispatch.GRAM_ROWS", 300)
    values, targets = blobs(500, 2, dims=100)
    np.save(tmp_path / "values.npy", values.astype(np.float16))
    LinearSVM(0.1).fit(np.load(tmp_path / "values.npy", mmap_mode="r"), targets)
    LinearSVM(0.1, bias="free").fit(np.load(tmp_path / "values.npy"), targets)
    assert made[0].blocks is None
    assert all(rows.blocks is not None for rows in made[1:])


@pytest.mark.parametrize("settings", [{}, {"loss": "squared_hinge", "bias": "free"}, {"multiclass": "ovo"}], ids=str)
@pytest.mark.parametrize("rows", [60, 500])
def test_memory_mapped_halves(tmp_path, rows, settings):
    """Features as they lie on disk: the same model as of the values in memory."""
    values, targets = blobs(rows, 3, dims=40)
    mapped = np.memmap(tmp_path / "values", np.float16, "w+", shape=values.shape)
    mapped[:] = values
    mapped.flush()
    mapped = np.memmap(tmp_path / "values", np.float16, "r", shape=values.shape)
    settings = {"C": 0.1, "tol": 1e-7, **settings}
    ours = LinearSVM(**settings).fit(mapped, targets)
    theirs = LinearSVM(**settings).fit(np.array(mapped, np.float64), targets)

    assert ours.coef_ == pytest.approx(theirs.coef_, abs=1e-4)
    assert (ours.predict(mapped) == theirs.predict(np.array(mapped))).all()


def test_many_classes_of_few_samples():
    """Are classes: scikit-learn's warning that they could be a regression is not shown."""
    values, targets = np.random.default_rng(0).normal(size=(24, 4)), np.repeat(np.arange(16), [2] * 8 + [1] * 8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        LinearSVM().fit(values, targets)
