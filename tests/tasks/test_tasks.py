"""The main job, from images to MLflow, in one process."""

import csv
import json
import shutil
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from mlflow.tracking import MlflowClient
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import Normalizer
from sklearn.svm import SVC, LinearSVC

from offshelf.augmentation import center, mirror
from offshelf.backbone import Pixels, Tiny
from offshelf.classifier import FitResult, Tuned
from offshelf.dataset import Digits, Fold, ImageArray, ImageSet, Sample
from offshelf.dataset.partition import partition
from offshelf.errors import BackboneError, DatasetError
from offshelf.evaluation.score import Score
from offshelf.extractor import Extractor, Request
from offshelf.metric import Bootstrap, Outcome
from offshelf.model import Model, identify
from offshelf.store import DiskStore, MemoryStore
from offshelf.svm import LinearSVMCV
from offshelf.tasks.classify import choose, classify
from offshelf.tracking import MLflow, NoTracking, Offline
from offshelf.tracking.mlflow.client import default_uri
from offshelf.tracking.outbox.outbox import Outbox

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning"
)


class Colours:
    """Sixty images of two classes that differ in colour, as a data set of four folds."""

    def load(self):
        random = np.random.default_rng(0)
        targets = np.arange(60) % 2
        pixels = random.integers(0, 100, (60, 12, 12, 3), dtype=np.uint8)
        pixels[targets == 1, ..., 0] += 120
        samples = [Sample(str(row), ImageArray(pixels[row]), int(targets[row])) for row in range(60)]
        return ImageSet("colours", ("grey", "red"), samples, partition(targets, ("grey", "red"), 0.5, 4, 0))


class Tags:
    """Eighty images that can be red, green, both or neither; whether ten of them are green does not count."""

    def __init__(self, green=True):
        self.green = green

    def load(self):
        random = np.random.default_rng(0)
        signs = np.where(random.random((80, 2)) < 0.4, 1, -1)
        pixels = random.integers(0, 100, (80, 12, 12, 3), dtype=np.uint8)
        for channel in range(2):
            pixels[signs[:, channel] > 0, ..., channel] += 120
        signs[::8, 1] = 0
        signs[40:] = signs[40:] if self.green else -1
        samples = [
            Sample(str(row), ImageArray(image), (int(red), int(green)))
            for row, (image, (red, green)) in enumerate(zip(pixels, signs, strict=True))
        ]
        return ImageSet("tags", ("red", "green"), samples, (Fold(np.arange(40), np.arange(40, 80)),), "mAP_11pt")


def run(folder, **changes):
    """classify with small components."""
    settings = {
        "dataset": Colours(),
        "augmentation": center(),
        "backbone": Tiny(),
        "layer": "all",
        "pooling": "auto",
        "extractor": Extractor(device="cpu"),
        "store": MemoryStore(),
        "postprocess": Normalizer(),
        "classifier": Tuned(SVC(kernel="linear"), C=[2.0, 20.0]),
        "baseline": Pixels(8),
        "bootstrap": Bootstrap(100),
        "tracking": NoTracking(),
        "output_dir": str(folder / "out"),
        "config": {"layer": "all", "classifier": {"C": [2.0, 20.0]}},
    }
    return classify(**{**settings, **changes})


def test_separable_classes_are_separated(tmp_path):
    """Red is told from grey; the metric is returned; folds are averaged."""
    value = float(run(tmp_path))
    metrics = json.loads((tmp_path / "out/metrics.json").read_text())

    assert value == metrics["test/accuracy"] == 1.0
    assert metrics["test/accuracy_std"] == 0.0
    assert metrics["test/accuracy/pixels"] == 1.0
    assert metrics["cost/images_extracted"] == 60
    assert (tmp_path / "out/layers.png").stat().st_size > 5000


def test_few_events(tmp_path, home):
    """What belongs together is logged together: each event is a request to a server."""
    run(tmp_path, layer="last", tracking=Offline(), classifier=Tuned(SVC(kernel="linear"), C=2.0), keep_model_mb=200)
    (journal,) = Outbox(home).waiting()
    events = journal.read().events
    kinds = Counter(type(event).__name__ for event in events)

    assert kinds == {"LogEvent": 3, "FileEvent": 5, "DatasetEvent": 1, "EndEvent": 1}
    assert {"data_digest", "metric"} <= journal.read().tags.keys()


@pytest.mark.slow
def test_layers_are_children_of_their_run(tmp_path):
    """Found in MLflow with parameters, metrics, tables and figures; warm and cold with the same digests."""
    store = DiskStore(tmp_path / "store")
    for _ in range(2):
        run(tmp_path, store=store, tracking=MLflow(str(tmp_path)), augmentation=mirror())
    client = MlflowClient(default_uri(tmp_path))
    (experiment,) = client.search_experiments(filter_string="name = 'offshelf'")
    found = client.search_runs([experiment.experiment_id], order_by=["attributes.start_time ASC"])
    parents = [item for item in found if "mlflow.parentRunId" not in item.data.tags]
    children = [item for item in found if item.data.tags.get("mlflow.parentRunId") == parents[0].info.run_id]
    artifacts, outer = (
        {item.path for item in client.list_artifacts(item.info.run_id)} for item in (children[0], parents[0])
    )
    outside = json.loads((tmp_path / "out/metrics.json").read_text())

    assert [item.info.run_name for item in children] == ["block1", "block2", "block3", "pixels"]
    assert {item.info.status for item in found} == {"FINISHED"}
    assert children[0].data.params["layer"] == "block1"
    assert children[0].data.params["dataset"] == "colours"
    assert children[3].data.params["backbone"] == "pixels"
    assert {"test/accuracy", "test/mean_class_accuracy", "cv/accuracy", "cv/accuracy_C_2"} <= children[
        0
    ].data.metrics.keys()
    assert artifacts == {"per_class.json", "predictions.csv", "confusion.png"}
    assert {"c_curve.png", "c_curve.json", "layers.png", "layers.json"} <= outer
    assert outside.keys() == parents[1].data.metrics.keys()
    assert len({item.data.tags["data_digest"] for item in found}) == 1
    assert parents[0].data.tags["feature_digest"] == parents[1].data.tags["feature_digest"]
    assert parents[1].data.metrics["cost/images_extracted"] == 0


@pytest.mark.slow
def test_the_choice_of_the_hyperparameter_is_recorded(tmp_path):
    """As a table and a plot under its name, for each layer and the baseline."""
    run(tmp_path, classifier=Tuned(KNeighborsClassifier(metric="cosine"), n_neighbors=[1, 3], simplest="largest"))
    metrics = json.loads((tmp_path / "out/metrics.json").read_text())
    rows = list(csv.DictReader((tmp_path / "out/n_neighbors_curve.csv").read_text().splitlines()))

    assert {"cv/n_neighbors", "cv/accuracy_n_neighbors_1", "cv/accuracy_n_neighbors_3"} <= metrics.keys()
    assert [row["layer"] for row in rows] == [name for name in ("block1", "block2", "block3", "pixels") for _ in "13"]
    assert [row["n_neighbors"] for row in rows[:2]] == ["3", "1"]
    assert set(rows[0]) == {"layer", "n_neighbors", "mean", "std"}
    assert (tmp_path / "out/n_neighbors_curve.png").stat().st_size > 5000


class Certified:
    """A classifier that says class 0, and that it solved 60 problems to a gap of 1e-5."""

    def fit(self, values_NVD, targets_N, metric):
        return FitResult("C", 2.0, None, lambda values: np.tile([1.0, 0.0], (len(values), 1)), gap=1e-5, problems=60)


def test_certificates_are_recorded(tmp_path):
    """The largest gap, all problems, and problems a second; no curve where the value is given."""
    run(tmp_path, classifier=Certified())
    metrics = json.loads((tmp_path / "out/metrics.json").read_text())

    assert metrics["fit/dual_gap"] == 1e-5
    assert metrics["fit/problems"] == 4 * 4 * 60  # three layers and the baseline, four folds
    assert metrics["cost/fit_problems_per_second"] == pytest.approx(960 / metrics["cost/fit_seconds"])
    assert not list((tmp_path / "out").glob("*_curve.*"))


@pytest.mark.parametrize("machine", [LinearSVMCV(loss="squared_hinge", bias="free"), SVC(kernel="linear")])
def test_several_labels(tmp_path, machine):
    """Ranked by average precision, label by label, in files and MLflow; no confusion of single labels."""
    result = run(
        tmp_path, dataset=Tags(), classifier=Tuned(machine, C=[0.2, 20.0]), tracking=MLflow(str(tmp_path)), layer="last"
    )
    value = float(result)
    metrics = json.loads((tmp_path / "out/metrics.json").read_text())
    rows = list(csv.DictReader((tmp_path / "out/per_class.csv").read_text().splitlines()))
    predictions = list(csv.DictReader((tmp_path / "out/predictions.csv").read_text().splitlines()))
    client = MlflowClient(default_uri(tmp_path))
    (found,) = client.search_runs([client.get_experiment_by_name("offshelf").experiment_id])

    assert value == metrics["test/mAP_11pt"] > 0.9
    assert {"test/mAP_area", "test/mAP_11pt_low", "test/mean_auc", "cv/mAP_11pt", "cv/mAP_11pt_C_20"} <= metrics.keys()
    assert [row["class"] for row in rows] == ["red", "green"]
    assert np.mean([float(row["AP_11pt"]) for row in rows]) == pytest.approx(value)
    assert [row["true green"] for row in predictions][::8] == ["0"] * 5
    assert {item.path for item in client.list_artifacts(found.info.run_id)} >= {"per_class.json", "predictions.csv"}
    assert "confusion.png" not in {item.path for item in client.list_artifacts(found.info.run_id)}


def test_metric_that_the_test_images_do_not_define(tmp_path):
    """No label is on a test image."""
    with pytest.raises(DatasetError, match="mAP_11pt is not defined"):
        run(tmp_path, dataset=Tags(green=False))


def test_class_without_training_images(tmp_path):
    """Said before any work, not met as a crash after it."""

    class Lacking(Colours):
        def load(self):
            images = super().load()
            return replace(images, classes=(*images.classes, "green"))

    with pytest.raises(DatasetError, match=r"colours has no training images of 1 class\(es\): green"):
        run(tmp_path, dataset=Lacking())


def test_broken_run_is_recorded_as_failed(tmp_path):
    """With its parameters, so that it can be found."""
    with pytest.raises(BackboneError):
        run(tmp_path, tracking=MLflow(str(tmp_path)), pooling="cls", baseline=None)
    client = MlflowClient(default_uri(tmp_path))
    (experiment,) = client.search_experiments(filter_string="name = 'offshelf'")
    (found,) = client.search_runs([experiment.experiment_id])

    assert found.info.status == "FAILED"
    assert found.data.params["layer"] == "block1, block2, block3"


def score(name, cv, test):
    """One of 100 test images a point."""
    right = round(100 * test)
    outcome = Outcome(np.zeros(100, int), np.repeat([[1.0, 0.0], [0.0, 1.0]], [right, 100 - right], axis=0))
    made = Score(name, 1, "accuracy", (FitResult("C", 1.0, None, lambda values: values),), (outcome,), 0.0)
    if cv is not None:
        made.__dict__["metrics"] = {**made.metrics, "cv/accuracy": cv}
    return made


def test_layer_is_chosen_on_training_images():
    """Never by the test metric; without cross-validation it is the last layer."""
    assert choose([score("a", 0.9, 0.5), score("b", 0.8, 0.99)]).name == "a"
    assert choose([score("a", None, 0.99), score("b", None, 0.5)]).name == "b"
    assert choose([score("a", 0.8, 0.9), score("b", 0.9, 0.9), score("c", 0.9, 0.5)]).name == "c"  # the later of equals


@pytest.mark.slow
def test_digits_accuracy_is_what_others_measured(tmp_path, digit_features):
    """Blocks 4 to 6 of EfficientNet-Lite0 on the digits: 0.94 to 0.96 with timm and LinearSVC, C = 100."""
    from offshelf.backbone import EfficientNetLite0

    shutil.copytree(digit_features, tmp_path / "store")
    result = run(
        tmp_path,
        dataset=Digits(),
        backbone=EfficientNetLite0(),
        store=DiskStore(tmp_path / "store"),
        layer="blocks.4",
        classifier=Tuned(LinearSVC(max_iter=5000, random_state=0), C=100.0),
    )

    assert float(result) == pytest.approx(0.94, abs=0.025)


@pytest.mark.slow
def test_the_reported_layer_is_kept(tmp_path):
    """As a file of the run and an artifact; with several folds the first fold's, whose test scores it gives again."""
    store = MemoryStore()
    run(tmp_path, store=store, tracking=MLflow(str(tmp_path)))
    client = MlflowClient(default_uri(tmp_path))
    found = client.search_runs([client.get_experiment_by_name("offshelf").experiment_id])
    (parent,) = [item for item in found if "mlflow.parentRunId" not in item.data.tags]
    model = Model.read(tmp_path / "out/model.safetensors")
    images = Colours().load()
    rows = images.folds[0].test
    keys = Request(Tiny(), (model.layer,), "auto", center().views).keys(Extractor(device="cpu"))
    features = store.read(list(keys.values()), [images.pictures[row].digest for row in rows])
    scores = [float(line["score"]) for line in csv.DictReader((tmp_path / "out/predictions.csv").open())]

    assert "model.safetensors" in {item.path for item in client.list_artifacts(parent.info.run_id)}
    assert model.features == identify(keys.values())
    assert model.score(features).max(axis=1) == pytest.approx(scores[: len(rows)], rel=1e-12)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"keep_model_mb": 0.001}, "keep_model_mb=0.001 is less"),
        ({"classifier": Certified()}, "no form that could be read back"),
        ({"keep_model_mb": 0}, None),
    ],
)  # fmt: skip
def test_a_model_that_is_not_kept(changes, why, tmp_path):
    """Said in a sentence, unless it was asked for; the run is none the worse."""
    result = run(tmp_path, layer="last", **changes)

    assert not (tmp_path / "out/model.safetensors").exists()
    assert ("not kept" in result.model_note) == bool(why)
    assert (why or "") in result.model_note
    assert result.model_note in result.lines()
