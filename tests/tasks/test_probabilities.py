"""Runs with probabilities: what is measured of them, on which images, and where it is written."""

import csv
import json

import numpy as np
import pytest
from sklearn.metrics import log_loss
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import LinearSVC
from test_tasks import Colours, Tags, run

from offshelf.backbone import Pixels
from offshelf.classifier import Tuned
from offshelf.dataset import Fold, ImageSet
from offshelf.errors import DatasetError
from offshelf.evaluation.probe import Probe
from offshelf.knn import KNNProbe
from offshelf.logistic import LogisticProbeCV
from offshelf.metric import PROBABILITY_METRICS, Bootstrap
from offshelf.report import read_predictions, reliability_figure

NAMES = ("ece", "brier_score", "log_loss")
ONE = {"layer": "last", "backbone": Pixels(8), "baseline": None}


def rows(folder):
    """Of the table by confidence."""
    return list(csv.DictReader((folder / "out/reliability.csv").read_text().splitlines()))


def test_before_and_after_calibration(tmp_path):
    """Numbers, a table and a figure; uncalibrated, the decision values are logits."""
    result = run(tmp_path, **ONE, classifier=Tuned(LinearSVC(), C=1.0, calibrate=True))
    metrics = json.loads((tmp_path / "out/metrics.json").read_text())
    score, table = result.chosen, rows(tmp_path)
    before = []
    for outcome in score.outcomes:
        odds = np.exp(2 * outcome.scores[:, 1])  # of two classes, whose scores are -z and z
        before.append(log_loss(outcome.targets, np.stack([1 / (1 + odds), odds / (1 + odds)], axis=1)))

    assert {f"test/{name}{end}" for name in NAMES for end in ("", "_uncalibrated", "_std")} <= metrics.keys()
    assert {"test/log_loss_low", "test/brier_score_uncalibrated_high"} <= metrics.keys()
    assert not {"test/ece_low", "test/ece_uncalibrated_low"} & metrics.keys()
    assert metrics["test/log_loss_uncalibrated"] == pytest.approx(np.mean(before))
    assert [row["probabilities"] for row in table] == ["reported"] * 15 + ["uncalibrated"] * 15
    assert sum(int(row["images"]) for row in table[:15]) == sum(len(fold.test) for fold in result.images.folds)
    assert (tmp_path / "out/reliability.png").stat().st_size > 5000
    assert any("before calibration" in str(line) for line in result.lines())


@pytest.mark.parametrize(("kind", "dataset"), [("", {}), ("mean_label_", {"dataset": Tags()})])
def test_losses_follow_from_the_predictions(kind, dataset, tmp_path):
    """What runs are compared by has the numbers of the run, the mean over folds."""
    metrics = run(tmp_path, **ONE, **dataset, classifier=Tuned(LinearSVC(), C=1.0, calibrate=True)).metrics
    probable = read_predictions((tmp_path / "out/predictions.csv").read_text()).probable

    for name in (f"{kind}log_loss", f"{kind}brier_score"):
        mean = np.mean([PROBABILITY_METRICS[name](outcome)[0] for outcome in probable])
        assert mean == pytest.approx(metrics[f"test/{name}"], rel=1e-12)


def test_a_probes_own_probabilities(tmp_path):
    """Measured without calibration; with it they are what it is compared with."""
    own = run(tmp_path / "own", **ONE, classifier=Tuned(LogisticProbeCV(), C=1.0)).chosen.metrics
    both = run(tmp_path / "both", **ONE, classifier=Tuned(LogisticProbeCV(), C=1.0, calibrate=True)).chosen.metrics

    assert {name for name in own if "log_loss" in name} == {
        f"test/log_loss{end}" for end in ("", "_std", "_low", "_high")
    }
    for name in NAMES:
        assert both[f"test/{name}_uncalibrated"] == pytest.approx(own[f"test/{name}"])
        assert both[f"test/{name}"] != own[f"test/{name}"]


def test_shares_of_votes_before_calibration(tmp_path):
    """Of nearest neighbours, which have probabilities only if they are learnt."""
    plain = run(tmp_path, **ONE, classifier=Tuned(KNNProbe(), n_neighbors=5)).chosen
    score = run(tmp_path, **ONE, classifier=Tuned(KNNProbe(), n_neighbors=5, calibrate=True)).chosen

    assert not plain.has_probabilities
    assert not any("log_loss" in name for name in plain.metrics)
    for kept, outcome in zip(score.probable["uncalibrated"], score.outcomes, strict=True):
        assert kept.scores == pytest.approx(outcome.scores)
        assert kept.scores.sum(axis=1) == pytest.approx(np.ones(len(kept.scores)))


@pytest.mark.parametrize("estimator", [LinearSVC(), LogisticProbeCV()])
def test_several_labels(estimator, tmp_path):
    """Each by itself: means over labels, a row per label and bin, and columns of the table by label."""
    result = run(tmp_path, **ONE, dataset=Tags(), classifier=Tuned(estimator, C=1.0, calibrate=True))
    by_label = list(csv.DictReader((tmp_path / "out/per_class.csv").read_text().splitlines()))
    table = rows(tmp_path)

    assert {f"test/mean_label_{name}{end}" for name in NAMES for end in ("", "_uncalibrated")} <= result.metrics.keys()
    assert [(row["label"], row["probabilities"]) for row in table[::15]] == [
        (label, kind) for kind in ("reported", "uncalibrated") for label in ("red", "green")
    ]
    assert sum(int(row["images"]) for row in table[15:30]) == 35  # five of forty do not count
    assert np.mean([float(row["log_loss"]) for row in by_label]) == pytest.approx(
        result.metrics["test/mean_label_log_loss"]
    )


def test_test_images_do_not_take_part_in_the_calibration():
    """With other test images it is the same to the last digit."""
    images = Colours().load()
    values = np.random.default_rng(0).normal(size=(60, 1, 8)) + images.targets[:, None, None]
    other = values.copy()
    fold = images.folds[0]
    other[fold.test] = 1e3
    probe = Probe(FunctionTransformer(), Tuned(LinearSVC(), C=1.0, calibrate=True), Bootstrap(0))
    alone = ImageSet("one", images.classes, images.samples, (fold,))
    first, second = (probe.score("layer", each, alone).fits[0].calibration for each in (values, other))

    assert (first.slopes_K == second.slopes_K).all()
    assert (first.offsets_K == second.offsets_K).all()


def test_a_sample_is_not_trained_and_tested_on(tmp_path):
    """So that no calibration is measured on an image that it was fitted to."""
    images = Colours().load()
    shared = ImageSet("shared", images.classes, images.samples, (Fold(np.arange(40), np.arange(39, 60)),))

    class Shared:
        def load(self):
            return shared

    with pytest.raises(DatasetError, match=r"1 sample\(s\) are trained and tested on, the first of them '39'"):
        run(tmp_path, **ONE, dataset=Shared(), classifier=Tuned(LogisticProbeCV(), C=1.0))


def test_the_figure_shows_the_bins(tmp_path):
    """Points of the bins with images, and the diagonal."""
    score = run(tmp_path, **ONE, classifier=Tuned(LogisticProbeCV(), C=1e-3)).chosen
    upper, lower = reliability_figure(score, "colours").axes
    diagonal, line = upper.get_lines()
    filled = [row for row in rows(tmp_path) if row["images"] != "0"]

    assert diagonal.get_xydata().tolist() == [[0, 0], [1, 1]]
    expected = [[float(row["confidence"]), float(row["accuracy"])] for row in filled]
    assert line.get_xydata() == pytest.approx(np.array(expected))
    assert lower.get_xlabel() == "confidence"
