"""Runs on several training sizes: what is scored, tracked, written and predicted."""

import csv
import json

import numpy as np
import pytest
from mlflow.tracking import MlflowClient
from sklearn.decomposition import PCA
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import Normalizer

import offshelf
from offshelf.classifier import Tuned
from offshelf.dataset import Digits, Fold, ImageArray, ImageSet, Sample, TrainingSizes
from offshelf.errors import ConfigError
from offshelf.evaluation.learning_curve import CurvePoint, LearningCurve
from offshelf.evaluation.probe import Probe
from offshelf.metric import METRICS, Bootstrap
from offshelf.metric.power_law import PowerLaw
from offshelf.svm import LinearSVMCV
from offshelf.tracking.mlflow.client import default_uri

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning"
)


class Nearest:
    """The nearest training image, as a classifier of the user's own, which knows nothing of few images."""

    def fit(self, values_NVD, targets, metric):
        from offshelf.classifier import FitResult

        fitted = KNeighborsClassifier(1).fit(values_NVD[:, 0], targets)
        return FitResult("k", 1.0, None, lambda values_MVD: fitted.predict_proba(values_MVD[:, 0]))


def digits(**settings):
    """The digits with their pixels as features, float32 [N, 1, 192]."""
    images = Digits(**settings).load()
    pixels = [np.asarray(sample.image.pixels, np.float32).ravel() for sample in images.samples]
    return images, np.stack(pixels)[:, None] / 255


def curve(images, values, classifier, postprocess=None):
    probe = Probe(postprocess or Normalizer(), classifier, Bootstrap(0))
    scores = probe.curve("pixels", values, images)
    return LearningCurve(tuple(map(CurvePoint.of, scores, images.sizes)))


def test_prediction_against_measurement():
    """Held-out check: what 1 to 16 images per class predict for 32 and 64, against what these give, on real digits."""
    images, values = digits(test_fraction=0.3, shots=[1, 2, 4, 8, 16, 32, 64])
    whole = curve(images, values, Nearest())
    known = LearningCurve(whole.points[:5])
    measured = [point.value for point in whole.points[5:]]

    assert [one.name for one in known.extrapolations] == ["32 shots", "64 shots"]
    assert [one.predicted for one in known.extrapolations] == pytest.approx(measured, abs=0.02)
    for one, truth in zip(known.extrapolations, measured, strict=True):
        assert one.interval.low < one.predicted < one.interval.high
        assert one.interval.low - 0.01 < truth < one.interval.high + 0.01
    straight = np.polyfit(np.log(known.sizes[-2:]), [point.value for point in known.points[-2:]], 1)
    naive = np.polyval(straight, np.log(whole.sizes[-1]))
    assert abs(known.extrapolations[-1].predicted - measured[-1]) < abs(naive - measured[-1])
    assert all(np.diff([point.value for point in whole.points]) > 0)


@pytest.mark.slow
def test_scores_are_those_of_each_draw_alone():
    """Whether all draws share the transformed features or, as for PCA, each has its own transform."""
    images, values = digits(shots=[2, 8], draws=3)
    classifier = Tuned(LinearSVMCV(), C=[0.2, 20])
    for postprocess in (Normalizer(), PCA(5, random_state=0)):
        scores = Probe(postprocess, classifier, Bootstrap(0)).curve("pixels", values, images)
        for score, size in zip(scores, images.sizes, strict=True):
            alone = []
            for fold in size.folds:
                one = ImageSet("one", images.classes, images.samples, (fold,))
                alone.append(Probe(postprocess, classifier, Bootstrap(0)).score("pixels", values, one).metrics)
            assert score.by_draw == pytest.approx([one["test/accuracy"] for one in alone])
            assert score.metrics["test/accuracy"] == pytest.approx(np.mean(score.by_draw))
            assert score.metrics["test/accuracy_std"] == pytest.approx(np.std(score.by_draw))


def test_deviation_is_over_draws_not_folds():
    """With two folds of cross-validation in each draw, it is that of their means."""
    images, values = digits()
    halves = np.arange(len(images.samples)) % 2 == 0
    folds = (
        Fold(np.flatnonzero(halves), np.flatnonzero(~halves)),
        Fold(np.flatnonzero(~halves), np.flatnonzero(halves)),
    )
    drawn = TrainingSizes(shots=4, draws=3).drawn(ImageSet("halves", images.classes, images.samples, folds))
    (score,) = Probe(Normalizer(), Nearest(), Bootstrap(200)).curve("pixels", values, drawn)
    by_fold = np.array([METRICS["accuracy"](outcome)[0] for outcome in score.outcomes])

    assert score.by_draw == pytest.approx(by_fold.reshape(3, 2).mean(axis=1))
    assert score.metrics["test/accuracy_std"] == pytest.approx(np.std(score.by_draw))
    assert score.tests == (0, 1) * 3


@pytest.mark.slow
def test_run(tmp_path, home, monkeypatch):
    """The run's numbers are those of the largest size; a child for each; the curve as table, plot and metrics."""
    fits, fit = [], PowerLaw.fit
    monkeypatch.setattr(PowerLaw, "fit", lambda *given: fits.append(given) or fit(*given))
    result = offshelf.classify(
        backbone="pixels",
        layer="last",
        shots=[1, 2, 4, 8],
        draws=3,
        C=[0.2, 20],
        tracking=True,
        output_dir=tmp_path / "out",
    )
    assert result.images.sizes[-1].value == 8
    assert float(result) == result.metrics["test/accuracy"] == result.metrics["test/accuracy/8_shots"]
    assert list(result.table["shots"]) == [1, 2, 4, 8]
    assert list(result.table["test/accuracy"]) == [point.value for point in result.points]
    assert [one.name for one in result.learning_curve.extrapolations] == ["16 shots", "32 shots"]
    low, high = (result.metrics[f"extrapolated/accuracy/16_shots_{end}"] for end in ("low", "high"))
    assert low < result.metrics["extrapolated/accuracy/16_shots"] < high
    assert result.plot().axes[0].get_xscale() == "log"
    written = json.loads((tmp_path / "out/metrics.json").read_text())
    assert written == pytest.approx(result.metrics)
    with (tmp_path / "out/learning_curve.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["extrapolated"] for row in rows] == ["False"] * 4 + ["True"] * 2
    draws = [[float(row[f"draw {number}"]) for number in (1, 2, 3)] for row in rows[:4]]
    assert [float(row["accuracy"]) for row in rows[:4]] == pytest.approx(np.mean(draws, axis=1))
    assert (tmp_path / "out/learning_curve.png").stat().st_size > 5000
    text = "\n".join(str(line) for line in result.lines())
    assert "With 1 shot a class has one training image, so that C cannot be cross-validated: it is 0.2" in text
    assert len(fits) == 1

    client = MlflowClient(default_uri(home))
    experiment = client.get_run(result.run_id).info.experiment_id
    children = client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{result.run_id}'")
    found = {run.data.params["dataset.shots"]: run for run in children}
    assert {run.info.run_name for run in children} == {"1 shot", "2 shots", "4 shots", "8 shots"}
    for point in result.points:
        assert found[str(point.size.value)].data.metrics["test/accuracy"] == pytest.approx(point.value)
    compared = offshelf.compare([run.info.run_id for run in children])
    assert list(compared["dataset.shots"]) == ["8", "4", "2", "1"]
    assert compared["difference"][1:].notna().all()


@pytest.mark.slow
def test_layers_are_chosen_with_each_size():
    """By cross-validation on its own training images; with one image per class there is none. Fractions, any data."""
    random = np.random.default_rng(0)
    labels = ["red", "blue"] * 20
    shades = random.integers(0, 120, (40, 8, 8, 3), dtype=np.uint8)
    shades[::2, ..., 0] += 100
    result = offshelf.classify(
        (list(shades), labels),
        backbone="tiny",
        layer="all",
        fractions=[0.05, 0.5, 1],
        draws=2,
        C=[0.2, 2],
        store=None,
    )

    assert [size.draws for size in result.images.sizes] == [2, 2, 1]
    cv = {point.name: point.metrics.get("cv/accuracy", -1) for point in result.points if point.size.value == 1}
    assert cv[result.layer] == max(cv.values())
    assert [("cv/accuracy" in point.metrics) for point in result.points] == [False, True, True] * 3
    assert len(result.points) == 3 * 3
    assert list(result.table["fractions"]) == [0.05, 0.5, 1] * 4
    assert "Not extrapolated: this needs 4 training sizes" in "\n".join(str(line) for line in result.lines())
    assert {"test/accuracy/5_percent", "test/accuracy/100_percent"} <= set(result.metrics)


def test_several_labels():
    """Few images of each label, some of which no fold of the inner cross-validation has."""
    random = np.random.default_rng(0)
    signs = np.where(random.random((90, 3)) < 0.35, 1, -1)
    values = (signs + random.normal(0, 0.5, (90, 3))).astype(np.float32)[:, None]
    pixel = ImageArray(np.zeros((2, 2, 3), np.uint8))
    samples = [Sample(str(row), pixel, tuple(map(int, signs[row]))) for row in range(90)]
    rows = np.arange(90)
    images = ImageSet("tags", ("a", "b", "c"), samples, (Fold(rows[:60], rows[60:]),), "mAP_sklearn")
    drawn = TrainingSizes(shots=[1, 2, 8], draws=3).drawn(images)
    values = values[[int(sample.id) for sample in drawn.samples]]
    scores = Probe(Normalizer(), Tuned(LinearSVMCV(), C=[0.2, 20]), Bootstrap(0)).curve("x", values, drawn)

    assert scores[-1].metrics["test/mAP_sklearn"] > 0.9
    assert all(len(score.by_draw) == 3 for score in scores)


@pytest.mark.parametrize(
    ("classifier", "few"),
    [
        (Tuned(LinearSVMCV(), C=[0.2, 2, 20], calibrate=True), 2),
        (Tuned(KNeighborsClassifier(), n_neighbors=[1, 3, 5], simplest="largest"), 1),
        (Tuned(LinearSVMCV(), C=20.0, validate=True), 20),
    ],
)
def test_classifier_for_few(classifier, few):
    """One image of a class: the value nearest 1; two: two folds; plenty: as it was. It does not change the original."""
    one, two, six = (np.repeat(np.arange(3), count) for count in (1, 2, 6))
    values = np.random.default_rng(0).normal(size=(6, 1, 4))
    made = classifier.for_few(one, calibrate=False).fit(values[:3], one)
    assert (made.value, made.curve, made.held_out) == (few, None, None)
    assert made.is_unchosen == (len(classifier.values) > 1)
    assert len(classifier.for_few(two, calibrate=False).fit(values, two).held_out) == 2
    same = classifier.for_few(six, calibrate=True)
    assert (same.folds, same.values, same.calibrate) == (classifier.folds, classifier.values, classifier.calibrate)


def test_mistakes_of_python():
    """A data set that is an object takes its own keys; others are refused, not ignored."""
    with pytest.raises(ConfigError, match=r"dataset was given as a Labelled, which has no key 'root'"):
        offshelf.classify(([np.zeros((8, 8, 3), np.uint8)] * 4, [0, 1] * 2), dataset__root="x")


def test_refusals():
    """Too few sizes, draws, or sizes that are the same."""
    images, values = digits(shots=[1, 2, 4], draws=3)
    assert curve(images, values, Nearest()).refusal.endswith("there are 3 in 3.")
    images, values = digits(shots=[1, 2, 4, 8], draws=2)
    found = curve(images, values, Nearest())
    assert found.refusal.endswith("there are 4 in 2.")
    assert found.extrapolations == ()
