"""One value that is given is cross-validated where runs are to be chosen among without their test images."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score

from offshelf.classifier import Tuned
from offshelf.errors import ConfigError
from offshelf.svm import LinearSVMCV


@pytest.fixture
def data():
    """Features of 60 images of three classes that overlap."""
    random = np.random.default_rng(0)
    targets = np.arange(60) % 3
    return random.normal(targets[:, None], 1.5, (60, 4)), targets


def test_scores_are_those_of_scikit_learn(data):
    """On the same folds."""
    values, targets = data
    fit = Tuned(LogisticRegression(), C=2, validate=True, seed=3).fit(values[:, None], targets)
    folds = StratifiedKFold(5, shuffle=True, random_state=3)

    np.testing.assert_allclose(fit.held_out, cross_val_score(LogisticRegression(C=2), values, targets, cv=folds))
    assert fit.curve is None


def test_the_fit_is_the_same(data):
    """With and without."""
    values, targets = data
    plain, validated = (Tuned(LinearSVMCV(), C=2, validate=on).fit(values[:, None], targets) for on in (False, True))

    np.testing.assert_array_equal(plain.score(values[:, None]), validated.score(values[:, None]))
    assert plain.held_out is None and len(validated.held_out) == 5


def test_it_is_true_or_false():
    with pytest.raises(ConfigError, match=r"classifier\.validate must be true or false"):
        Tuned(LogisticRegression(), C=2, validate="yes")
