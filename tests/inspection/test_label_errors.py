"""Confident learning: the joint by hand and by loops, and labels that a test has flipped."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from offshelf.inspection.label_errors import LabelErrors, confident_joint, estimated_errors, thresholds
from offshelf.inspection.labels import NONE, CheckedLabels

LABELS = np.array([0, 0, 0, 1, 1])
PROBABILITIES = np.array([[0.9, 0.1], [0.7, 0.3], [0.2, 0.8], [0.4, 0.6], [0.3, 0.7]])


def test_by_hand():
    """Thresholds are 0.6 and 0.65: the third image is confidently of the second class, the fourth of none."""
    assert thresholds(PROBABILITIES, LABELS) == pytest.approx([0.6, 0.65])
    assert confident_joint(PROBABILITIES, LABELS).tolist() == [[2, 1], [0, 1]]
    assert estimated_errors(PROBABILITIES, LABELS) == 1
    found = LabelErrors.of(PROBABILITIES, LABELS)
    assert found.flagged_N.tolist() == [False, False, True, False, False]
    assert found.suggested.tolist() == [0, 0, 1, 1, 1]
    assert found.order[0] == 2


def test_odds_order_labels():
    """The least odds first: a label of which nothing speaks, though other classes share what is left of it."""
    shares = np.array([[0.001, 0.4, 0.35, 0.249], [0.15, 0.84, 0.005, 0.005], [0.6, 0.4, 0, 0], [0, 0.3, 0.35, 0.35]])

    assert LabelErrors.of(shares, np.zeros(4, np.int64)).order.tolist() == [3, 0, 1, 2]


def test_joint_by_loops():
    """Equation 1 of Northcutt et al. 2021, image by image."""
    rng = np.random.default_rng(0)
    labels, shares = rng.integers(0, 4, 200), rng.dirichlet(np.ones(4), 200)
    means = [shares[labels == number, number].mean() for number in range(4)]
    joint = np.zeros((4, 4), int)
    for label, share in zip(labels, shares, strict=True):
        above = [number for number in range(4) if share[number] >= means[number]]
        if above:
            joint[label, max(above, key=lambda number: share[number])] += 1

    assert confident_joint(shares, labels).tolist() == joint.tolist()


def test_a_class_without_images():
    """It has no threshold to pass, and no label is suggested to be of it."""
    shares = np.column_stack([PROBABILITIES * 0.5, np.full(5, 0.5)])

    assert confident_joint(shares, LABELS)[:, 2].sum() == 0
    assert not LabelErrors.of(np.full((4, 2), 0.5), np.zeros(4, np.int64)).flagged_N.any()


@pytest.mark.parametrize("seed", range(3))
def test_flipped_digits(seed):
    """A tenth of the labels: most of them are found, and most of what is found is one of them."""
    pixels, digits = load_digits(return_X_y=True)
    rng = np.random.default_rng(seed)
    flipped = rng.permutation(len(digits)) < len(digits) // 10
    labels = np.where(flipped, (digits + rng.integers(1, 10, len(digits))) % 10, digits)
    folds = StratifiedKFold(3, shuffle=True, random_state=seed)
    shares = cross_val_predict(LogisticRegression(C=0.02), pixels / 16, labels, cv=folds, method="predict_proba")
    found = LabelErrors.of(shares, labels)
    right = found.flagged_N & flipped

    assert right.sum() / found.count > 0.85
    assert right.sum() / flipped.sum() > 0.8
    assert (found.suggested[right] == digits[right]).mean() > 0.9
    assert flipped[found.order[:50]].mean() > 0.95


def test_several_labels():
    """Each by itself: a label too many, one that lacks, and one that does not count."""
    rng = np.random.default_rng(0)
    targets = np.where(rng.random((200, 2)) < 0.4, 1, -1).astype(np.int8)
    shares = np.where(targets > 0, 0.9, 0.1) + rng.uniform(-0.05, 0.05, targets.shape)
    targets[3, 0], shares[3, 0] = 1, 0.02
    targets[7, 1], shares[7, 1] = -1, 0.98
    targets[9, 1], shares[9, 1] = 0, 0.98
    found = CheckedLabels.of(np.arange(200), shares, targets)
    listed = list(zip(found.rows.tolist(), found.given.tolist(), found.suggested.tolist(), strict=True))

    assert sorted(listed) == [(3, 0, NONE), (7, NONE, 1)]
    assert found.flagged.all()
