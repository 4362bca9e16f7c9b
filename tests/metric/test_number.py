"""Metrics of numbers against scikit-learn and SciPy, on resampled images."""

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import mean_absolute_error, r2_score

from offshelf.metric import METRICS, Bootstrap, Outcome, metrics_of

ORACLES = {
    "r2": r2_score,
    "mean_absolute_error": mean_absolute_error,
    "spearman": lambda truth, predicted: spearmanr(truth, predicted).statistic,
}


def outcome(images, step=0.0, seed=0):
    """Numbers about 40 and noisy predictions, rounded so that some are equal."""
    random = np.random.default_rng(seed)
    truth = random.normal(40, 10, images)
    predicted = truth + random.normal(0, 8, images)
    if step:
        truth, predicted = np.round(truth / step) * step, np.round(predicted / step) * step
    return Outcome(truth, predicted[:, None])


@pytest.mark.parametrize("name", ORACLES)
@pytest.mark.parametrize("step", [0.0, 5.0])
def test_resampled_images(name, step):
    """A weight is how often an image occurs; equal numbers share their ranks."""
    one = outcome(60, step)
    weights_MB = np.random.default_rng(1).integers(0, 4, (60, 130)).astype(np.uint8)
    found = METRICS[name](one, weights_MB)
    expected = [
        ORACLES[name](np.repeat(one.targets, times), np.repeat(one.predictions, times)) for times in weights_MB.T
    ]
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert METRICS[name](one)[0] == pytest.approx(ORACLES[name](one.targets, one.predictions))


def test_undefined():
    """Of equal numbers nothing is explained and nothing is ranked; an error they have."""
    same = Outcome(np.full(5, 7.1), np.arange(5.0)[:, None])
    assert np.isnan(METRICS["r2"](same)).all() and np.isnan(METRICS["spearman"](same)).all()
    assert METRICS["mean_absolute_error"](same)[0] == pytest.approx(np.mean(np.abs(7.1 - np.arange(5))))
    constant = Outcome(np.arange(5.0), np.full((5, 1), 2.0))
    assert METRICS["r2"](constant)[0] == 0 and np.isnan(METRICS["spearman"](constant)[0])


def test_intervals_hold_the_number():
    """Of R², the error and the correlation; only the error is better if it is less."""
    one = outcome(300)
    for name, metric in metrics_of("number").items():
        interval = Bootstrap(200).interval(name, [one])
        assert interval.low < metric(one)[0] < interval.high
    assert [name for name, metric in METRICS.items() if metric.is_loss] == ["mean_absolute_error"]
