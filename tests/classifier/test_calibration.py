"""Probabilities against scikit-learn's, and against truth."""

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold
from sklearn.svm import LinearSVC

from offshelf.classifier import Calibration, Tuned
from offshelf.errors import ConfigError
from offshelf.logistic import LogisticProbe, LogisticProbeCV
from offshelf.svm import LinearSVMCV


def test_two_classes_as_scikit_learns():
    """CalibratedClassifierCV's sigmoid, from the same folds."""
    values, targets = load_digits(return_X_y=True)
    chosen = (targets == 3) | (targets == 8)
    values, targets = values[chosen] / 16, (targets[chosen] == 8).astype(int)
    train, test = np.arange(0, len(targets), 2), np.arange(1, len(targets), 2)
    svm = LinearSVC(C=1.0, dual=False, tol=1e-8)
    folds = StratifiedKFold(5, shuffle=True, random_state=3)
    theirs = CalibratedClassifierCV(svm, method="sigmoid", cv=folds, ensemble=False).fit(values[train], targets[train])
    fit = Tuned(svm, C=1.0, seed=3, calibrate=True).fit(values[train][:, None], targets[train])
    ours = fit.calibration(fit.score(values[test][:, None]))

    np.testing.assert_allclose(ours, theirs.predict_proba(values[test]), atol=1e-4)


def test_more_classes_at_the_optimum():
    """Where the derivatives are 0: the mean probability of a class is the mean of its targets, worked out here."""
    random = np.random.default_rng(5)
    targets = random.choice(4, 300, p=[0.4, 0.3, 0.2, 0.1])
    scores = random.standard_normal((300, 4)) + 2 * (targets[:, None] == np.arange(4))
    counts = [int((targets == name).sum()) for name in range(4)]
    expected = [
        sum(count * (301 / 302 if name == other else 1 / 302 / 3) for other, count in enumerate(counts)) / 300
        for name in range(4)
    ]
    found = Calibration.learn(scores, targets)

    assert found(scores).mean(axis=0) == pytest.approx(expected, abs=1e-6)
    assert found(scores).sum(axis=1) == pytest.approx(np.ones(300))
    assert len(set(found.slopes_K)) == 1


def test_certain_scores_stay_probabilities():
    """Ten held-out images that are all told apart do not make a classifier that is never wrong."""
    targets = np.arange(10) % 2
    scores = np.where(targets[:, None] == np.arange(2), 5.0, -5.0)

    assert Calibration.learn(scores, targets)(scores).max(axis=1) == pytest.approx(np.full(10, 6 / 7), abs=1e-4)


@pytest.mark.parametrize("each", [3, 30])
def test_many_classes_of_few_images(each):
    """The mean confidence of held-out images is their accuracy, however few images a class has."""
    random = np.random.default_rng(each)
    targets, fresh = np.repeat(np.arange(50), each), np.repeat(np.arange(50), 20)
    scores, others = (
        random.standard_normal((len(names), 50)) + 4.5 * (names[:, None] == np.arange(50)) for names in (targets, fresh)
    )
    found = Calibration.learn(scores, targets)(others)

    accuracy = (others.argmax(axis=1) == fresh).mean()
    assert 0.95 < accuracy < 0.995
    assert found.max(axis=1).mean() == pytest.approx(accuracy, abs=0.04)


def test_probabilities_are_shares():
    """Three Gaussians in an equilateral triangle, whose true probabilities are known: a share of p comes true of what
    has a probability of p.

    Log-loss comes near that of the true probabilities; the scores' own softmax does not.
    """
    random = np.random.default_rng(0)
    centres = np.array([[1.0, 0.0], [-0.5, 0.75**0.5], [-0.5, -(0.75**0.5)]])
    targets = random.integers(0, 3, 6000)
    values = centres[targets] + random.standard_normal((6000, 2))
    true = np.exp(-((values[:, None] - centres) ** 2).sum(axis=2) / 2)
    true /= true.sum(axis=1, keepdims=True)
    train, test = slice(0, 2000), slice(2000, 6000)
    svm = LinearSVMCV(multiclass="ovr", loss="squared_hinge")
    fit = Tuned(svm, C=[0.2, 2.0], calibrate=True).fit(values[train][:, None], targets[train])
    scores = fit.score(values[test][:, None])
    found = fit.calibration(scores)
    softmax = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)

    best = log_loss(targets[test], true[test])
    assert log_loss(targets[test], found) < best + 0.03
    assert log_loss(targets[test], softmax) > best + 0.06
    for lower in np.arange(0.1, 0.9, 0.1):
        inside = (found >= lower) & (found < lower + 0.1)
        came_true = (targets[test][:, None] == np.arange(3))[inside].mean()
        assert came_true == pytest.approx(found[inside].mean(), abs=0.05)


def test_several_labels():
    """Each by itself, over the images that count for it; one that none has stays improbable."""
    random = np.random.default_rng(1)
    scores = random.standard_normal((400, 3))
    signs = np.where(random.random((400, 3)) < 1 / (1 + np.exp(-2 * scores)), 1, -1).astype(np.int8)
    signs[:, 2] = -1
    signs[::3, 1] = 0
    both = Calibration.learn(scores, signs)
    alone = Calibration.learn(scores[signs[:, 1] != 0, 1:2], signs[signs[:, 1] != 0, 1:2])

    assert both.slopes_K[:2] == pytest.approx([2, 2], abs=0.6)
    assert both.slopes_K[1] == pytest.approx(alone.slopes_K[0])
    assert both(scores)[:, 2] == pytest.approx(np.full(400, 1 / 402))


def test_scores_are_the_same_with_and_without():
    """And without, nothing is learnt."""
    values = np.random.default_rng(2).standard_normal((60, 1, 5))
    targets = np.arange(60) % 3
    plain, calibrated = (
        Tuned(LinearSVC(), C=[0.2, 2.0], calibrate=calibrate).fit(values, targets) for calibrate in (False, True)
    )

    assert plain.calibration is None
    assert (plain.score(values) == calibrated.score(values)).all()


def test_what_cannot_be_calibrated():
    """One image of a class, and a value that is neither true nor false."""
    values = np.random.default_rng(2).standard_normal((5, 1, 5))
    with pytest.raises(ConfigError, match="needs 2 training images of each class"):
        Tuned(LinearSVC(), C=1.0, calibrate=True).fit(values, np.array([0, 0, 0, 0, 1]))
    with pytest.raises(ConfigError, match="calibrate must be true or false; got 'platt'"):
        Tuned(LinearSVC(), C=1.0, calibrate="platt")


@pytest.mark.parametrize("classes", [2, 3])
def test_a_probe_has_its_own(classes):
    """Those of its `predict_proba`; of several views, those of their mean decision values."""
    random = np.random.default_rng(0)
    values, targets = random.normal(size=(60, 2, 5)), np.arange(60) % classes
    one = Tuned(LogisticProbeCV(), C=1.0).fit(values[:, :1], targets)
    probe = LogisticProbe(1.0).fit(values[:, 0], targets)
    np.testing.assert_allclose(one.calibration(one.score(values[:, :1])), probe.predict_proba(values[:, 0]), rtol=1e-6)

    for fusion in ("sum", "mean"):
        both = Tuned(LogisticProbeCV(), C=1.0, fusion=fusion).fit(values, targets)
        fitted = LogisticProbe(1.0).fit(values.reshape(-1, 5), np.repeat(targets, 2))
        mean = fitted.decision_function(values.reshape(-1, 5)).reshape(60, 2, -1).mean(axis=1)
        expected = fitted.probabilities_of(mean)
        np.testing.assert_allclose(both.calibration(both.score(values)), expected, rtol=1e-6)


def test_a_probe_of_several_labels_has_its_own():
    """A sigmoid for each; one-vs-rest, whose probabilities are divided by their sum, has no such map."""
    values = np.random.default_rng(0).normal(size=(60, 1, 5))
    signs = np.sign(values[:, 0, :2]).astype(np.int8)
    fit = Tuned(LogisticProbeCV(), C=1.0).fit(values, signs, "mAP_11pt")
    expected = LogisticProbe(1.0).fit(values[:, 0], (signs > 0).astype(int)).predict_proba(values[:, 0])
    np.testing.assert_allclose(fit.calibration(fit.score(values)), expected, rtol=1e-6)

    assert Tuned(LogisticProbeCV(multiclass="ovr"), C=1.0).fit(values, np.arange(60) % 3).calibration is None
