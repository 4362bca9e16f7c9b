"""A solver that did not converge says so: which value, on which data, and the way out."""

import logging

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.multiclass import OneVsOneClassifier
from sklearn.svm import SVC, LinearSVC

from offshelf.classifier import Tuned
from offshelf.classifier.convergence import fitting, reached_limit
from offshelf.svm import LinearSVMCV

RANDOM = np.random.default_rng(0)
VALUES, TARGETS = RANDOM.normal(size=(90, 1, 8)) * 100, np.arange(90) % 3


def lines(caplog, classifier):
    with caplog.at_level(logging.WARNING), fitting("block3, fold 2 of 10"):
        fit = classifier.fit(VALUES, TARGETS)
    return fit, [record.message for record in caplog.records]


def test_one_line_for_a_search(caplog):
    """The layer, the values, the folds, and what to set."""
    fit, said = lines(caplog, Tuned(LogisticRegression(max_iter=2), C=[2, 200], folds=2))

    assert len(said) == 1
    assert said[0].startswith("block3, fold 2 of 10: 5 fit(s) are approximate: LogisticRegression reached max_iter=2")
    assert "C=200 (fold " in said[0]
    assert "all training images" in said[0]
    assert "classifier.estimator.max_iter" in said[0]
    assert fit.unconverged == 5


def test_workers_of_joblib_lose_no_warning(caplog):
    """Their warnings stay in their processes; what they have fitted does not."""
    estimator = OneVsOneClassifier(LinearSVC(dual=False, max_iter=1), n_jobs=2)
    fit, said = lines(caplog, Tuned(estimator, C=200.0))

    assert fit.unconverged == 1
    assert "classifier.estimator.estimator.max_iter" in said[0]


@pytest.mark.filterwarnings("ignore")
def test_what_counts_as_a_limit():
    """Iterations of a solver, not trees of a forest, and not where no tolerance was asked for."""
    rows = VALUES[:, 0]
    assert reached_limit(SVC(max_iter=1).fit(rows, TARGETS))
    assert not reached_limit(SVC().fit(rows, TARGETS))
    assert not reached_limit(HistGradientBoostingClassifier(max_iter=2).fit(rows, TARGETS))
    assert not reached_limit(SGDClassifier(max_iter=2, tol=None).fit(rows, TARGETS))
    assert reached_limit(SGDClassifier(max_iter=1, tol=1e-9).fit(rows, TARGETS))


def test_converged_fits_say_nothing(caplog):
    """Neither scikit-learn's nor ours."""
    for classifier in (
        Tuned(LogisticRegression(max_iter=10_000), C=1e-4),
        Tuned(LinearSVMCV(multiclass="ovo", bias="free"), C=[0.002, 0.02]),
    ):
        fit, said = lines(caplog, classifier)
        assert (fit.unconverged, said) == (0, [])


def test_a_gap_is_found_where_scikit_learn_says_nothing(caplog):
    """Few iterations, no warning of its own, and far from the optimum: the gap, and the way out."""
    values, targets = load_digits(return_X_y=True)
    with caplog.at_level(logging.WARNING):
        fit = Tuned(LogisticRegression(max_iter=5000), C=1e4).fit(values[:400, None] / 16, targets[:400])
    said = [record.message for record in caplog.records]

    assert fit.gap > 1e-3
    assert fit.unconverged == 1
    assert said[0].startswith(
        "1 fit(s) are approximate: LogisticRegression stopped short of the optimum at C=10000 (all"
    )
    assert "Use classifier=logistic or logistic_ovr" in said[0]
    assert "classifier.estimator.tol" in said[0]


def test_ours_says_its_gap(caplog):
    """A tolerance that float32 or float64 cannot certify."""
    fit, said = lines(caplog, Tuned(LinearSVMCV(loss="hinge", tol=1e-300), C=0.1))

    assert fit.unconverged == 1
    assert "the largest relative duality gap is" in said[0]
