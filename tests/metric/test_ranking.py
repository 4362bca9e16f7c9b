"""Rankings against hand-computed cases, the devkit's algorithm written out, and scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from offshelf.metric import METRICS, Outcome, by_class

RANKED = {"+-+": (0.848485, 0.833333), "+0-+": (0.848485, 0.833333), "-++-+": (0.642424, 0.644444), "-+": (0.5, 0.5)}
"""Labels by falling score, with the AP by eleven points and by area that others computed."""
SIGNS = {"+": 1, "-": -1, "0": 0}


def ranked(labels):
    """One label, the images in the order of their scores."""
    targets = np.array([[SIGNS[sign]] for sign in labels], np.int8)
    return Outcome(targets, -np.arange(len(labels), dtype=float)[:, None])


def random_outcome(seed, images=200, labels=4, ties=False):
    """Targets 1, -1 and 0, with scores that know something of them."""
    random = np.random.default_rng(seed)
    targets = random.choice([1, -1, 0], (images, labels), p=[0.2, 0.7, 0.1]).astype(np.int8)
    scores = targets + random.normal(0, 2, targets.shape)
    return Outcome(targets, np.round(scores) if ties else scores)


def devkit(targets, scores):
    """The steps of VOCevalcls.m on one class: sort, cumulate, eleven maxima; with fractions in place of its grid."""
    order = np.argsort(-scores, kind="stable")
    truth = targets[order][targets[order] != 0]
    hits, misses = np.cumsum(truth > 0), np.cumsum(truth < 0)
    total, precision = (truth > 0).sum(), hits / (hits + misses)
    return sum(max(precision[hits * 10 >= level * total], default=0) for level in range(11)) / 11


def interpolated_area(targets, scores):
    """VOC 2010's rule on one class, point by point."""
    truth = targets[np.argsort(-scores, kind="stable")]
    truth = truth[truth != 0] > 0
    precision = np.cumsum(truth) / np.arange(1, len(truth) + 1)
    return sum(precision[rank:].max() / truth.sum() for rank in np.flatnonzero(truth))


@pytest.mark.parametrize("labels", RANKED)
def test_known_rankings(labels):
    """Eleven points and area."""
    found = by_class(ranked(labels))

    assert [found["AP_11pt"][0], found["AP_area"][0]] == pytest.approx(RANKED[labels], abs=1e-6)


def test_recall_is_compared_exactly():
    """Three of ten positives reach 0.3, though 3 / 10 < 0.1 * 3 in floating point."""
    labels = "+++" + "-" * 7 + "+" * 7  # precision 1 up to recall 3/10, then at most 10/17

    assert by_class(ranked(labels))["AP_11pt"][0] == pytest.approx((4 * 1 + 7 * 10 / 17) / 11)


@pytest.mark.parametrize("seed", range(4))
def test_variants_against_their_definitions(seed):
    """Other implementations on random rankings with images that do not count."""
    outcome = random_outcome(seed)
    found = by_class(outcome)
    for label in range(outcome.classes):
        targets, scores = outcome.targets[:, label], outcome.scores[:, label]
        assert found["AP_11pt"][label] == pytest.approx(devkit(targets, scores))
        assert found["AP_area"][label] == pytest.approx(interpolated_area(targets, scores))


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_against_scikit_learn(seed, ties):
    """Equal scores are one step, and half right."""
    outcome = random_outcome(seed, ties=ties)
    found = by_class(outcome)
    for label in range(outcome.classes):
        counts = outcome.targets[:, label] != 0
        truth, scores = outcome.targets[counts, label] > 0, outcome.scores[counts, label]
        assert found["AP_sklearn"][label] == pytest.approx(average_precision_score(truth, scores))
        assert found["auc"][label] == pytest.approx(roc_auc_score(truth, scores))


@pytest.mark.parametrize("name", ["mAP_11pt", "mAP_area", "mAP_sklearn", "mean_auc", "mean_label_accuracy"])
def test_weights_are_repetitions(name):
    """An image of weight 3 is three images side by side, one of weight 0 none."""
    random = np.random.default_rng(5)
    outcome = random_outcome(5, images=40, ties=name in ("mAP_sklearn", "mean_auc"))
    weights = random.integers(0, 4, (40, 6)).astype(np.uint8)
    whole = METRICS[name](outcome, weights)

    for column, value in zip(weights.T, whole, strict=True):
        rows = np.repeat(np.arange(40), column)
        assert METRICS[name](Outcome(outcome.targets[rows], outcome.scores[rows]))[0] == pytest.approx(value)


def test_labels_without_positive_or_negative_images():
    """Left out of the means; where there is none at all, not a number."""
    targets = np.array([[1, -1, 1], [-1, -1, 1]], np.int8)
    outcome = Outcome(targets, np.array([[2.0, 2, 2], [1, 1, 1]]))
    found = by_class(outcome)

    assert found["AP_11pt"].tolist() == [1.0, pytest.approx(np.nan, nan_ok=True), 1.0]
    assert found["auc"].tolist() == [1.0, *[pytest.approx(np.nan, nan_ok=True)] * 2]
    assert METRICS["mean_auc"](outcome)[0] == 1.0
    assert np.isnan(METRICS["mAP_area"](Outcome(targets[:, 1:2], outcome.scores[:, 1:2]))[0])


def precision_at_hits(targets, scores):
    """The definition of AP without interpolation, written out: at each positive image the precision of all that score
    as high or higher, and their mean; no sort, and nothing cumulated.
    """
    counts = targets != 0
    truth, scores = targets[counts] > 0, scores[counts]
    return [truth[scores >= score].mean() for score in scores[truth]]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("present", "expected"), [(1, 1.0), (-1, np.nan)], ids=["all", "none"])
def test_labels_that_all_or_none_have(present, expected, seed):
    """All: every ranking is a perfect one, for scikit-learn too. None: there is nothing to find, and it is left out."""
    outcome = random_outcome(seed, images=30, labels=3, ties=True)
    targets = outcome.targets.copy()
    targets[:, 1] = np.where(targets[:, 1] == 0, 0, present)
    outcome = Outcome(targets, outcome.scores)
    hits = [precision_at_hits(targets[:, label], outcome.scores[:, label]) for label in range(3)]
    by_hand = [np.mean(values) if values else np.nan for values in hits]

    assert by_hand[1] == pytest.approx(expected, nan_ok=True)
    assert by_class(outcome)["AP_sklearn"] == pytest.approx(by_hand, nan_ok=True)
    assert METRICS["mAP_sklearn"](outcome)[0] == pytest.approx(np.nanmean(by_hand))
    for name in ("AP_11pt", "AP_area"):
        assert by_class(outcome)[name][1] == pytest.approx(expected, nan_ok=True)
    if present == 1:
        counts = targets[:, 1] != 0
        assert average_precision_score(targets[counts, 1] > 0, outcome.scores[counts, 1]) == 1
