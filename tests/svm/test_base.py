"""What linear SVMs refuse, and what they warn of."""

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from offshelf.svm import LinearSVM
from offshelf.svm.solver import path_primal


def data(rows, classes):
    """Classes that overlap."""
    targets = np.arange(rows) % classes
    return np.random.default_rng(0).normal(size=(rows, 20)) + targets[:, None] / 4, targets


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"C": 0.0}, "C must be a positive number; got 0"),
        ({"C": -1.0}, "C must be a positive number; got -1"),
        ({"C": float("nan")}, "C must be a positive number; got nan"),
        ({"C": float("inf")}, "C must be a positive number; got inf"),
        ({"tol": 0.0}, "tol must be a positive number"),
        ({"tol": float("nan")}, "tol must be a positive number"),
        ({"intercept_scaling": -1.0}, "intercept_scaling must be a positive number"),
        ({"loss": "log"}, "loss must be one of hinge, squared_hinge; got 'log'"),
        ({"multiclass": "all"}, "multiclass must be one of ovr, ovo"),
        ({"bias": True}, "bias must be one of penalised, free, none"),
        ({"ovo_decision": "mean"}, "ovo_decision must be one of votes, sum"),
        ({"device": "tpu"}, "device must be one of auto, cpu, cuda"),
    ],
)
def test_bad_settings(settings, sentence):
    """One sentence, before any work."""
    values, targets = data(30, 2)
    with pytest.raises(ValueError, match=sentence):
        LinearSVM(**settings).fit(values, targets)


def test_bad_data():
    """One sentence each."""
    values, targets = data(30, 2)
    for weights in (np.ones(29), -np.ones(30), np.full(30, np.nan), np.ones((30, 2))):
        with pytest.raises(ValueError, match="sample_weight must be 30 finite, non-negative numbers"):
            LinearSVM().fit(values, targets, weights)
    with pytest.raises(ValueError, match="All samples have a weight of zero"):
        LinearSVM().fit(values, targets, np.zeros(30))
    with pytest.raises(ValueError, match="there is 1 class"):
        LinearSVM().fit(values, np.zeros(30))


def test_stopping_short_is_said(monkeypatch):
    """Too few steps, and no other method: a warning, with the gap."""
    monkeypatch.setattr("offshelf.svm.solver.is_compiled", lambda: False)
    monkeypatch.setattr(path_primal.PrimalPath._minimise, "__defaults__", (3,))
    monkeypatch.setattr(path_primal, "POLISHING_STEPS", 0)
    values, targets = data(2100, 2)
    with pytest.warns(ConvergenceWarning, match="1 of 1 SVM problems did not converge") as caught:
        fitted = LinearSVM(tol=1e-6).fit(values, targets)

    assert fitted.dual_gap_[0] > 1e-6
    assert f"gap is {fitted.dual_gap_[0]:.1e}, not 1.0e-06" in str(caught[0].message)
