"""Metrics of probabilities against scikit-learn, torchmetrics, and bins counted by hand."""

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, log_loss

from offshelf.backbone.torchvision_import import import_torchvision
from offshelf.metric import Bootstrap, Outcome, by_class, probability_metrics_of, reliability
from offshelf.metric.metric import PROBABILITY_METRICS


@pytest.fixture(scope="module")
def four():
    """300 images of four classes with probabilities that are too sure."""
    random = np.random.default_rng(0)
    targets = random.integers(0, 4, 300)
    logits = 3 * random.normal(size=(300, 4)) + 3 * np.eye(4)[targets]
    likely = np.exp(logits)
    return Outcome(targets, likely / likely.sum(axis=1, keepdims=True))


@pytest.fixture(scope="module")
def labels():
    """200 images with three labels, a tenth of them not to be counted; the last label of none."""
    random = np.random.default_rng(1)
    signs = np.where(random.random((200, 3)) < 0.4, 1, -1)
    signs[random.random((200, 3)) < 0.1] = 0
    signs[:, 2] = 0
    return Outcome(signs.astype(np.int8), random.random((200, 3)))


def value(name, outcome, weights=None):
    """Of a metric by its name."""
    return PROBABILITY_METRICS[name](outcome, weights)


def error_by_hand(confidences, comes_true):
    """Equation 3 of Guo et al., bin by bin."""
    error = 0.0
    for number in range(15):
        inside = (confidences > number / 15) & (confidences <= (number + 1) / 15)
        if inside.any():
            error += inside.mean() * abs(comes_true[inside].mean() - confidences[inside].mean())
    return error


def test_log_loss_and_brier_score_are_scikit_learns(four):
    """The Brier score is the sum over classes of those of one class against the rest."""
    each = [brier_score_loss(four.targets == name, four.scores[:, name]) for name in range(4)]

    assert value("log_loss", four) == pytest.approx([log_loss(four.targets, four.scores)])
    assert value("brier_score", four) == pytest.approx([sum(each)])


def test_certain_mistakes_cost_what_they_cost_scikit_learn():
    """A probability of 0 counts as the smallest that float64 separates from 1."""
    sure = Outcome(np.array([0, 1]), np.array([[1.0, 0.0], [1.0, 0.0]]))

    assert value("log_loss", sure) == pytest.approx([log_loss(sure.targets, sure.scores)])
    assert value("brier_score", sure) == [1.0]  # of 0 and 2


def test_calibration_error_by_hand(four):
    """Of the most probable class; on an edge a confidence is in the lower bin."""
    found = error_by_hand(four.scores.max(axis=1), four.predictions == four.targets)
    edge = Outcome(np.array([0, 1, 0]), np.array([[0.6, 0.4], [0.6, 0.4], [0.61, 0.39]]))

    assert value("ece", four) == pytest.approx([found])
    assert value("ece", edge) == pytest.approx([2 / 3 * 0.1 + 1 / 3 * 0.39])  # 0.6 = 9/15, and 0.61 above it
    assert value("ece", Outcome(np.array([0, 1]), np.array([[1.0, 0.0], [0.0, 1.0]]))) == [0]


def test_calibration_error_is_torchmetrics(four):
    """Which computes in float32."""
    torch = pytest.importorskip("torch")
    import_torchvision()  # which torchmetrics imports
    functional = pytest.importorskip("torchmetrics.functional.classification")
    given = torch.from_numpy(four.scores), torch.from_numpy(four.targets)
    theirs = functional.multiclass_calibration_error(*given, num_classes=4, n_bins=15, norm="l1")

    assert value("ece", four) == pytest.approx([float(theirs)], abs=1e-6)


def test_weights_are_repeated_images(four):
    """As the bootstrap counts them."""
    weights = np.random.default_rng(2).integers(0, 3, (300, 2)).astype(np.uint8)
    for name in probability_metrics_of(False):
        repeated = [
            value(name, Outcome(np.repeat(four.targets, column), np.repeat(four.scores, column, axis=0)))[0]
            for column in weights.T
        ]
        assert value(name, four, weights) == pytest.approx(repeated)
    interval = Bootstrap(500).interval("log_loss", [four])
    losses = -np.log(four.scores[np.arange(300), four.targets])
    assert interval.half == pytest.approx(1.96 * losses.std() / np.sqrt(300), rel=0.15)


def test_each_label_is_a_binary_problem_of_what_counts(labels):
    """A label for which nothing counts has no number, and is left out of the mean."""
    found = by_class(labels, PROBABILITY_METRICS)
    for label in range(2):
        counts = labels.targets[:, label] != 0
        truth, likely = labels.targets[counts, label] > 0, labels.scores[counts, label]
        assert found["log_loss"][label] == pytest.approx(log_loss(truth, likely))
        assert found["brier_score"][label] == pytest.approx(brier_score_loss(truth, likely))
        assert found["ece"][label] == pytest.approx(error_by_hand(likely, truth))
    for name, metric in probability_metrics_of(True).items():
        each = found[metric.by_class]
        assert np.isnan(each[2])
        assert value(name, labels) == pytest.approx([each[:2].mean()])


def test_a_diagram_is_of_all_folds_together(four, labels):
    """The error of one fold is the distance of its diagram from the diagonal."""
    (diagram,) = reliability([four])
    halves = [Outcome(four.targets[part], four.scores[part]) for part in (slice(100), slice(100, None))]
    gaps = np.abs(np.nan_to_num(diagram.shares - diagram.confidences))

    assert (gaps * diagram.counts).sum() / 300 == pytest.approx(value("ece", four)[0])
    assert reliability(halves)[0].counts.tolist() == diagram.counts.tolist()
    assert [one.counts.sum() for one in reliability([labels])] == (labels.targets != 0).sum(axis=0).tolist()
