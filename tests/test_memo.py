"""Jobs that share: the same digits as alone, and what they have in common made once."""

import warnings
from itertools import product

import numpy as np
import pytest
from sklearn.decomposition import PCA

from offshelf.classifier import Tuned
from offshelf.dataset import Fold, ImageArray, ImageSet, Sample
from offshelf.evaluation.probe import Probe
from offshelf.memo import Memo, once, sharing
from offshelf.metric import Bootstrap
from offshelf.svm import LinearSVM, LinearSVMCV
from offshelf.svm.solver import gram as dual_products
from offshelf.svm.solver import rows as primal_products

CS = (0.01, 0.1)
FOLDS = 2


@pytest.fixture
def made(monkeypatch):
    """Numbers of Gram matrices and covariances that were made, and of transforms that were fitted."""
    counts = {"gram": 0, "covariance": 0, "transform": 0}

    def count(kind, owner, name):
        original = getattr(owner, name)

        def counted(self, *arguments, **settings):
            counts[kind] += 1
            return original(self, *arguments, **settings)

        monkeypatch.setattr(owner, name, counted)

    count("gram", dual_products.Gram, "__init__")
    count("covariance", primal_products.Rows, "covariance")
    count("transform", PCA, "fit")
    return counts


def problem(rows, dims, labels=False, views=2, classes=4):
    """Features [N, V, D] that tell classes apart, not without errors, and their image set."""
    random = np.random.default_rng(0)
    numbers, signs = np.arange(rows) % classes, np.where(random.random((rows, classes)) < 0.4, 1, -1)
    centres = random.normal(size=(classes, dims))
    middle = (signs > 0) @ centres if labels else centres[numbers]
    values = (0.3 * middle[:, None] + random.normal(size=(rows, views, dims))).astype(np.float32)
    targets = [tuple(map(int, row)) for row in signs] if labels else map(int, numbers)
    picture = ImageArray(np.zeros((2, 2, 3), np.uint8))  # features are given
    samples = [Sample(str(row), picture, target) for row, target in enumerate(targets)]
    tests = np.arange(rows) // classes % FOLDS
    folds = tuple(Fold(np.flatnonzero(tests != fold), np.flatnonzero(tests == fold)) for fold in range(FOLDS))
    return values, ImageSet("s", tuple("abcd"[:classes]), samples, folds, "mAP_11pt" if labels else "accuracy")


def scores(data, **settings):
    """Metrics, save what they cost, and coefficients of each fold at each C."""
    values, images = data
    found = []
    for C in CS:
        classifier = Tuned(LinearSVMCV(**settings), C=C)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            probe = Probe(PCA(svd_solver="covariance_eigh"), classifier, Bootstrap(0))
            score = probe.score("x", values, images, "digest")
        numbers = {name: value for name, value in score.metrics.items() if not name.startswith("cost/")}
        fitted = [fit.scorer.estimator for fit in score.fits]
        arrays = [(one.coef_.tobytes(), one.intercept_.tobytes(), one.dual_gap_.tobytes()) for one in fitted]
        found.append((numbers, arrays))
    return found


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
@pytest.mark.parametrize(
    ("multiclass", "labels", "bias"),
    [("ovr", False, "penalised"), ("ovr", False, "free"), ("ovo", False, "free"), ("ovr", True, "penalised")],
)
def test_gram_matrix_is_shared(loss, multiclass, labels, bias, made):
    """Of several folds and views: to the last bit what each C gives alone."""
    data = problem(392, 420, labels)
    settings = {"loss": loss, "multiclass": multiclass, "bias": bias}
    alone = scores(data, **settings)
    assert made["gram"] == made["transform"] == len(CS) * FOLDS
    with sharing(Memo()):
        assert scores(data, **settings) == alone
    assert made["gram"] == made["transform"] == (len(CS) + 1) * FOLDS


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
def test_factors_of_the_primal_are_shared(loss, made, monkeypatch):
    """Where there are many more rows than dimensions, and no compiled code."""
    monkeypatch.setattr("offshelf.svm.solver.is_compiled", lambda: False)
    data = problem(408, 20)
    alone = scores(data, loss=loss)
    assert made == {"gram": 0, "covariance": len(CS) * FOLDS, "transform": len(CS) * FOLDS}
    with sharing(Memo()):
        assert scores(data, loss=loss) == alone
    assert made == {"gram": 0, "covariance": (len(CS) + 1) * FOLDS, "transform": (len(CS) + 1) * FOLDS}


@pytest.mark.slow
@pytest.mark.parametrize("classes", [2, 6])
def test_many_rows(classes):
    """Products in all threads; and few problems, which make no Gram matrix of all rows, are solved as if alone."""
    random = np.random.default_rng(0)
    y = np.arange(2100) % classes
    X = 0.2 * random.normal(size=(classes, 1100))[y] + random.normal(size=(2100, 1100))
    alone = [LinearSVM(C).fit(X, y).coef_.tobytes() for C in (0.01, 0.1)]
    with sharing(Memo()):
        assert [LinearSVM(C).fit(X, y).coef_.tobytes() for C in (0.01, 0.1)] == alone


def test_other_rows_have_products_of_their_own(made):
    """By their contents, whoever has them; and by the settings that are in the products."""
    random = np.random.default_rng(0)
    X, y = random.normal(size=(60, 50)), np.arange(60) % 3
    with sharing(Memo()):
        for rows, settings in product((X, X.copy(), X + 1), ({}, {"intercept_scaling": 2.0}, {"C": 3.0})):
            LinearSVM(**settings).fit(rows, y)
    assert made["gram"] == 2 * 2


def test_memory_is_bounded():
    """What does not fit is made anew; what fits is there once."""
    calls = []

    def make(size):
        calls.append(size)
        return {"a": (np.zeros(size, np.uint8),)}

    memo = Memo(limit=100)
    for _ in range(2):
        with sharing(memo):
            kept = [once(lambda size=size: make(size), "zeros", size) for size in (60, 50, 40)]
    assert calls == [60, 50, 40, 50]
    assert [len(one["a"][0]) for one in kept] == [60, 50, 40]
    assert memo.held == 100


def test_nothing_is_shared_by_others():
    """Outside of the block, or after a failure in it."""
    memo, calls = Memo(), []
    with pytest.raises(KeyError), sharing(memo):
        once(lambda: {}["x"], "x")
    once(lambda: calls.append("alone"), "x")
    with sharing(memo):
        once(lambda: calls.append("first"), "x")
        once(lambda: calls.append("second"), "x")
    assert calls == ["alone", "first"]
