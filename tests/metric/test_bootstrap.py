"""Error bars against the formulas that hold for simple statistics, and by how often they hold the truth."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import bootstrap as scipy_bootstrap

from offshelf.errors import ConfigError
from offshelf.metric import METRICS, Bootstrap, Outcome
from offshelf.metric.bootstrap import _weights


def coins(is_right):
    """Two classes; an image is right or wrong."""
    scores = np.where(np.array(is_right)[:, None], [1.0, 0.0], [0.0, 1.0])
    return Outcome(np.zeros(len(is_right), int), scores)


def test_interval_of_a_share():
    """1.96 standard errors of a binomial share on either side."""
    outcome = coins(np.arange(1000) < 800)
    interval = Bootstrap(4000).interval("accuracy", [outcome])
    half = 1.96 * np.sqrt(0.8 * 0.2 / 1000)

    assert [interval.low, interval.high] == pytest.approx([0.8 - half, 0.8 + half], abs=0.1 * half)


@pytest.mark.slow
def test_interval_holds_the_truth_as_often_as_it_says():
    """400 samples of 150 images: 0.9 of the intervals hold 0.7, give or take three standard errors."""
    random = np.random.default_rng(1)
    held = [
        interval.low <= 0.7 <= interval.high
        for seed in range(400)
        for interval in [Bootstrap(300, 0.9, seed).interval("accuracy", [coins(random.random(150) < 0.7)])]
    ]

    assert np.mean(held) == pytest.approx(0.9, abs=0.045)


def test_interval_of_a_ranking_is_scipys():
    """scipy.stats.bootstrap of the same metric, image by image."""
    random = np.random.default_rng(2)
    targets = np.where(random.random((80, 1)) < 0.3, 1, -1).astype(np.int8)
    scores = targets + random.normal(0, 1.5, targets.shape)

    def mean_ap(rows):
        return METRICS["mAP_area"](Outcome(targets[rows], scores[rows]))[0]

    theirs = scipy_bootstrap(
        (np.arange(80),), mean_ap, vectorized=False, n_resamples=2000, method="percentile", rng=3
    ).confidence_interval
    ours = Bootstrap(2000).interval("mAP_area", [Outcome(targets, scores)])

    assert [ours.low, ours.high] == pytest.approx([theirs.low, theirs.high], abs=0.02)


def test_folds_narrow_the_interval():
    """Over the mean of four folds, half as wide as over one."""
    fold = coins(np.arange(200) < 150)
    one, four = (Bootstrap(4000).interval("accuracy", [fold] * count) for count in (1, 4))

    assert (four.high - four.low) / (one.high - one.low) == pytest.approx(0.5, abs=0.05)


def test_difference_is_paired():
    """Of two classifiers that differ on 40 of 500 images: the standard error of the mean of paired differences."""
    first, second = np.zeros(500, bool), np.zeros(500, bool)
    first[:300], second[:280], second[300:360] = True, True, True
    found = Bootstrap(4000).difference("accuracy", [coins(first)], [coins(second)])
    pairs = second.astype(float) - first
    half = 1.96 * pairs.std() / np.sqrt(500)

    assert found.value == pytest.approx(0.08)
    assert [found.interval.low, found.interval.high] == pytest.approx([0.08 - half, 0.08 + half], abs=0.1 * half)
    assert found.p_value == pytest.approx(1 / 4000)


def test_equal_classifiers_do_not_differ():
    """No difference, no significance."""
    found = Bootstrap(200).difference("accuracy", [coins([True, False] * 50)], [coins([True, False] * 50)])

    assert (found.value, found.interval.low, found.interval.high, found.p_value) == (0, 0, 0, 1)


def test_seeds():
    """The same numbers again; other draws with another seed."""
    outcome = coins(np.arange(100) % 3 == 0)
    first, again, other = (Bootstrap(100, seed=seed).interval("accuracy", [outcome]) for seed in (0, 0, 7))

    assert first == again != other


def test_without_error_bars():
    """None was asked for, or none is defined."""
    assert Bootstrap(0).interval("accuracy", [coins([True])]) is None
    nothing = Outcome(-np.ones((3, 1), np.int8), np.zeros((3, 1)))
    assert Bootstrap(100).interval("mAP_11pt", [nothing]) is None
    assert Bootstrap(100).difference("mAP_11pt", [nothing], [nothing]) is None


@pytest.mark.parametrize("bad", [{"replicates": 10}, {"replicates": -1}, {"level": 1.0}])
def test_bad_settings(bad):
    """A sentence, before any work."""
    with pytest.raises(ConfigError, match="bootstrap"):
        Bootstrap(**bad)


def test_intervals_of_means_are_those_of_a_metric():
    """Accuracy is the mean of rights and wrongs: the same draws, the same percentiles."""
    random = np.random.default_rng(0)
    targets = random.integers(0, 3, 80)
    scores = random.random((80, 3))
    bootstrap = Bootstrap(500, seed=3)
    rights = (scores.argmax(axis=1) == targets).astype(float)

    first, second = bootstrap.mean_intervals(np.stack([rights, 2 * rights], axis=1))
    expected = bootstrap.interval("accuracy", [Outcome(targets, scores)])
    assert (first.low, first.high) == pytest.approx((expected.low, expected.high))
    assert (second.low, second.high) == pytest.approx((2 * expected.low, 2 * expected.high))


def test_intervals_of_means_leave_out_what_is_not_defined():
    """Half of the items have no number: wider than with all, and as by a loop over the draws."""
    random = np.random.default_rng(1)
    values = random.random((50, 2))
    values[::2, 1] = np.nan
    bootstrap = Bootstrap(200)
    draws = _weights(50, 200, 0).T
    by_hand = [np.average(values[1::2, 1], weights=draw[1::2]) for draw in draws]

    whole, half = bootstrap.mean_intervals(values)
    assert half.high - half.low > whole.high - whole.low
    assert (half.low, half.high) == pytest.approx(tuple(np.percentile(by_hand, [2.5, 97.5])))
    assert bootstrap.mean_intervals(np.full((5, 1), np.nan)) == [None]
    assert Bootstrap(0).mean_intervals(values) == [None, None]


def test_intervals_of_classes():
    """1.96 standard errors of each class' own share; the number of its images varies from draw to draw too."""
    targets = np.repeat([0, 1], [300, 1200])
    is_right = np.concatenate([np.arange(300) < 90, np.arange(1200) < 960])
    outcome = Outcome(targets, np.eye(2)[np.where(is_right, targets, 1 - targets)])
    found = Bootstrap(4000).class_intervals("mean_class_accuracy", [outcome])
    halves = 1.96 * np.sqrt([0.3 * 0.7 / 300, 0.8 * 0.2 / 1200])

    assert [(one.high - one.low) / 2 for one in found] == pytest.approx(halves, rel=0.06)
    assert [(one.high + one.low) / 2 for one in found] == pytest.approx([0.3, 0.8], abs=0.01)


def test_intervals_of_the_only_class_are_those_of_the_mean():
    """Draw by draw the same numbers."""
    random = np.random.default_rng(4)
    targets = np.where(random.random((60, 1)) < 0.4, 1, -1).astype(np.int8)
    outcome = Outcome(targets, random.normal(size=(60, 1)))
    bootstrap = Bootstrap(500)

    assert bootstrap.class_intervals("mAP_11pt", [outcome]) == [bootstrap.interval("mAP_11pt", [outcome])]


def test_no_intervals_of_classes():
    """Without draws, or without a test image of the class in any of them."""
    outcome = coins([True, False, True])

    assert Bootstrap(0).class_intervals("mean_class_accuracy", [outcome]) == [None, None]
    first, second = Bootstrap(100).class_intervals("mean_class_accuracy", [outcome])
    assert first is not None
    assert second is None


def test_folds_that_test_the_same_images():
    """They are resampled together: four equal classifiers on the same images are as uncertain as one."""
    random = np.random.default_rng(0)
    fold, other = coins(random.random(200) < 0.7), coins(random.random(200) < 0.6)
    bootstrap = Bootstrap(500)

    assert bootstrap.interval("accuracy", [fold] * 4, [0] * 4) == bootstrap.interval("accuracy", [fold])
    assert bootstrap.interval("accuracy", [fold] * 4).half < 0.7 * bootstrap.interval("accuracy", [fold]).half
    together = bootstrap.difference("accuracy", [fold] * 3, [other] * 3, [0] * 3)
    alone = bootstrap.difference("accuracy", [fold], [other])
    assert [together.interval.low, together.p_value] == pytest.approx([alone.interval.low, alone.p_value])


def test_groups_are_resampled_as_wholes():
    """The interval of 40 groups whose images are all right or all wrong is that of 40 images, as scipy has it."""
    is_right = np.random.default_rng(5).random(40) < 0.7
    groups = np.repeat(np.arange(40), 25)
    many = coins(np.repeat(is_right, 25))
    grouped = Bootstrap(3000).interval("accuracy", [replace(many, groups=groups)])
    theirs = scipy_bootstrap(
        (is_right.astype(float),), np.mean, n_resamples=3000, method="percentile", rng=1
    ).confidence_interval

    assert [grouped.low, grouped.high] == pytest.approx([theirs.low, theirs.high], abs=0.03)
    assert grouped.half > 4 * Bootstrap(3000).interval("accuracy", [many]).half


def test_groups_of_one_image_change_nothing():
    """The draws are the same, whatever the groups are called."""
    outcome = coins(np.arange(50) < 35)
    own = replace(outcome, groups=7 * np.arange(50))

    assert Bootstrap(500).interval("accuracy", [own]) == Bootstrap(500).interval("accuracy", [outcome])
