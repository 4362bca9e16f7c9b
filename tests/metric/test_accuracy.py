"""Accuracies against hand-computed cases and scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score
from sklearn.metrics import confusion_matrix as sklearn_confusion_matrix

from offshelf.metric import accuracy, class_accuracies, confusion_matrix, mean_class_accuracy


def test_by_hand():
    """Three of four right; class 0 half right, class 1 wholly."""
    confusion = confusion_matrix(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1]), 2)

    assert confusion.tolist() == [[1, 1], [0, 2]]
    assert accuracy(confusion) == 0.75
    assert mean_class_accuracy(confusion) == 0.75
    assert class_accuracies(confusion).tolist() == [0.5, 1.0]


def test_class_without_test_images_is_left_out():
    """An absent class is no zero in the mean."""
    confusion = confusion_matrix(np.array([0, 0, 2]), np.array([0, 0, 0]), 3)

    assert mean_class_accuracy(confusion) == 0.5
    assert np.isnan(class_accuracies(confusion)[1])


@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_scikit_learn(seed):
    """Independent implementation, random predictions."""
    random = np.random.default_rng(seed)
    targets, predictions = random.integers(0, 7, 300), random.integers(0, 7, 300)
    confusion = confusion_matrix(targets, predictions, 7)

    assert (confusion == sklearn_confusion_matrix(targets, predictions)).all()
    assert accuracy(confusion) == pytest.approx(accuracy_score(targets, predictions))
    assert mean_class_accuracy(confusion) == pytest.approx(balanced_accuracy_score(targets, predictions))
