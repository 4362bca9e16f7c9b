"""Accuracies against hand-computed cases and scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score
from sklearn.metrics import confusion_matrix as sklearn_confusion_matrix

from offshelf.metric import METRICS, Outcome, by_class


def predicting(targets, predictions, classes):
    """An outcome with these predictions."""
    return Outcome(np.array(targets), np.eye(classes)[predictions])


def test_by_hand():
    """Three of four right; class 0 half right, class 1 wholly."""
    outcome = predicting([0, 0, 1, 1], [0, 1, 1, 1], 2)

    assert outcome.confusion().tolist() == [[1, 1], [0, 2]]
    assert METRICS["accuracy"](outcome).tolist() == [0.75]
    assert METRICS["mean_class_accuracy"](outcome).tolist() == [0.75]
    assert by_class(outcome)["accuracy"].tolist() == [0.5, 1.0]


def test_class_without_test_images_is_left_out():
    """An absent class is no zero in the mean."""
    outcome = predicting([0, 0, 2], [0, 0, 0], 3)

    assert METRICS["mean_class_accuracy"](outcome).tolist() == [0.5]
    assert np.isnan(by_class(outcome)["accuracy"][1])


def test_of_equal_scores_the_first_class_is_predicted():
    """As libsvm and scikit-learn do."""
    assert Outcome(np.array([0]), np.array([[1.0, 3.0, 3.0]])).predictions.tolist() == [1]


@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_scikit_learn(seed):
    """Independent implementation, random predictions."""
    random = np.random.default_rng(seed)
    targets, predictions = random.integers(0, 7, 300), random.integers(0, 7, 300)
    outcome = predicting(targets, predictions, 7)

    assert (outcome.confusion() == sklearn_confusion_matrix(targets, predictions)).all()
    assert METRICS["accuracy"](outcome)[0] == pytest.approx(accuracy_score(targets, predictions))
    assert METRICS["mean_class_accuracy"](outcome)[0] == pytest.approx(balanced_accuracy_score(targets, predictions))


@pytest.mark.parametrize("name", ["accuracy", "mean_class_accuracy"])
def test_weights_are_repetitions(name):
    """An image of weight 3 is three images, one of weight 0 none."""
    random = np.random.default_rng(0)
    targets, predictions = random.integers(0, 4, 60), random.integers(0, 4, 60)
    weights = random.integers(0, 4, (60, 5)).astype(np.uint8)
    whole = METRICS[name](predicting(targets, predictions, 4), weights)

    for column, value in zip(weights.T, whole, strict=True):
        rows = np.repeat(np.arange(60), column)
        assert METRICS[name](predicting(targets[rows], predictions[rows], 4))[0] == pytest.approx(value)


def test_label_accuracy_by_hand():
    """Signs that are right of those that count; a label that nothing counts for is left out."""
    targets = np.array([[1, 0, 0], [-1, -1, 0], [-1, 1, 0]], np.int8)
    outcome = Outcome(targets, np.array([[0.1, 5, 1], [0.1, -1, 1], [-3, 0, 1]]))

    assert by_class(outcome)["accuracy"][:2] == pytest.approx([2 / 3, 1 / 2])
    assert METRICS["mean_label_accuracy"](outcome)[0] == pytest.approx((2 / 3 + 1 / 2) / 2)
