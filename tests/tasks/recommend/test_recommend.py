"""offshelf recommend, whole."""

import csv
import shlex

import numpy as np
import pytest
from mlflow.tracking import MlflowClient
from PIL import Image
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer
from sklearn.svm import LinearSVC

from offshelf.augmentation import center
from offshelf.backbone import Pixels, Tiny
from offshelf.classifier import Tuned
from offshelf.config import load, perform
from offshelf.dataset import Digits, Fold, ImageArray, ImageSet, Sample
from offshelf.errors import ConfigError, DatasetError, TrackingError
from offshelf.extractor import Extractor, Request, get_or_extract
from offshelf.metric import Bootstrap
from offshelf.store import DiskStore, MemoryStore
from offshelf.tasks.recommend import Rules
from offshelf.tasks.recommend import recommend as find
from offshelf.tracking import NoTracking
from offshelf.tracking.mlflow.client import default_uri

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning"),
]

ONLY = ["candidates=[pixels,tiny]", "+backbone@backbones.tiny=tiny", "backbones.pixels.size=8"]
FAST = ["classifier=linear_svm_ovr", "classifier.C=[2,20]", "extractor=cpu", "budget=1h"]


def recommend(folder, *overrides):
    """As the command line runs it. Returns the table."""
    words = [*ONLY, *FAST, f"home={folder / 'home'}", *overrides]
    perform(load("recommend", words), folder / "out", words)
    return list(csv.DictReader((folder / "out/recommendation.csv").read_text().splitlines()))


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """A recommendation for the digits, and where it is."""
    folder = tmp_path_factory.mktemp("digits")
    return folder, recommend(folder)


def test_what_is_better_is_found_and_what_is_dropped_is_worse(digits):
    """By scikit-learn on the test half, which the race never saw."""
    images = Digits().load()
    fold, accuracy = images.folds[0], {}
    for backbone, layers in ((Pixels(8), ("pixels",)), (Tiny(), ("block1", "block2", "block3"))):
        request = Request(backbone, layers, "auto", center().views)
        found = get_or_extract(MemoryStore(), Extractor(device="cpu"), images.pictures, request)
        for layer, values_NVD in found.values.items():
            model = make_pipeline(Normalizer(), LinearSVC(C=20)).fit(
                values_NVD[fold.train, 0], images.targets[fold.train]
            )
            accuracy[layer] = model.score(values_NVD[fold.test, 0], images.targets[fold.test])
    best, *others = digits[1]

    assert best["layer"] == max(accuracy, key=accuracy.get) == "pixels"
    assert [row["layer"] for row in others] and all(row["dropped"] for row in others)
    assert all(accuracy[row["layer"]] < accuracy["pixels"] - 0.1 for row in others)
    assert float(best["cv/accuracy_low"]) < accuracy["pixels"] < float(best["cv/accuracy_high"]) + 0.02
    assert {row["layer"]: int(row["bytes_per_image"]) for row in digits[1]} == {
        "pixels": 4 * 3 * 64,
        "block1": 32,
        "block2": 64,
        "block3": 128,
    }


@pytest.mark.soak
def test_the_middle_of_a_network_is_better_than_its_beginning(tmp_path):
    """EfficientNet-Lite0 on digits, where a run in full finds 0.95 and 0.71: one round tells."""
    overrides = ["candidates=[efficientnet_lite0]", "layer=[blocks.0,blocks.5]", "race.first=100", "tracking=none"]
    best, dropped = recommend(tmp_path, *overrides)

    assert (best["layer"], dropped["layer"]) == ("blocks.5", "blocks.0")
    assert dropped["dropped"].startswith("1: -0.")


def test_test_images_are_not_touched(digits):
    """The store has features of training images alone, and the full run finds them there."""
    folder, _ = digits
    images = Digits().load()
    fold, store = images.folds[0], DiskStore(folder / "home/store")
    request = Request(Pixels(8), ("pixels",), "auto", center().views)
    keys = list(request.keys(Extractor(device="cpu")).values())
    names = [image.digest for image in images.pictures]
    test = {names[row] for row in fold.test} - {names[row] for row in fold.train}
    have = set(range(len(names))) - set(store.missing(keys, names).tolist())

    assert have and not {names[row] for row in have} & test


def test_tracked_as_a_parent_with_a_child_for_each(digits):
    """The same numbers as in the table; the parent has the command."""
    folder, table = digits
    client = MlflowClient(default_uri(folder / "home"))
    (experiment,) = client.search_experiments(filter_string="name = 'offshelf'")
    runs = client.search_runs([experiment.experiment_id])
    (parent,) = [run for run in runs if "mlflow.parentRunId" not in run.data.tags]
    children = {run.data.params["layer"]: run for run in runs if run is not parent}

    assert parent.data.tags["best_layer"] == "pixels"
    assert {layer: run.data.metrics["cv/accuracy"] for layer, run in children.items()} == pytest.approx(
        {row["layer"]: float(row["cv/accuracy"]) for row in table}
    )
    assert {run.data.tags["mlflow.parentRunId"] for run in children.values()} == {parent.info.run_id}
    assert {run.info.status for run in runs} == {"FINISHED"}
    command = shlex.split(parent.data.tags["command"])
    assert command[:2] == ["offshelf", "classify"]
    config = load("classify", command[2:])
    assert (config.backbone.size, config.layer, list(config.classifier.C)) == (8, "pixels", [2, 20])


def test_the_same_table_again(digits, tmp_path):
    """From a store that is empty; the pace is the machine's."""
    again = recommend(tmp_path, "tracking=none")

    assert [{**row, "images_per_second": ""} for row in again] == [
        {**row, "images_per_second": ""} for row in digits[1]
    ]


def pictures(folder, counts):
    """A folder of classes with so many images of noise."""
    for name, count in counts.items():
        (folder / name).mkdir(parents=True)
        for number in range(count):
            noise = np.random.default_rng(number).integers(0, 255, (16, 16, 3), dtype=np.uint8)
            Image.fromarray(noise).save(folder / name / f"{number}.png")
    return ["dataset=folder", f"dataset.root={folder}", "tracking=none"]


def test_what_cannot_be_done(tmp_path):
    """In a sentence each."""
    few = pictures(tmp_path / "few", {"a": 20, "b": 3})
    with pytest.raises(DatasetError, match=r"too few training images of 1 class\(es\); each needs 3: b \(2\)"):
        recommend(tmp_path, *few)
    with pytest.raises(DatasetError, match="needs a folder for each of two or more classes"):
        recommend(tmp_path, *pictures(tmp_path / "one", {"a": 20}))
    enough = pictures(tmp_path / "enough", {"a": 12, "b": 12})
    with pytest.raises(ConfigError, match=r"No candidate can be tried\. alexnet: its weights are not available"):
        recommend(tmp_path, *enough, "candidates=[alexnet]")
    with pytest.raises(ConfigError, match="budget is a time"):
        recommend(tmp_path, *enough, "budget=soon")
    with pytest.raises(ConfigError, match="Error bars decide"):
        recommend(tmp_path, *enough, "bootstrap.replicates=0")
    with pytest.raises(ConfigError, match=r"race.folds is a whole number, 2 or more; got 1"):
        recommend(tmp_path, *enough, "race.folds=1")
    with pytest.raises(ConfigError, match=r"backbones.pixels has no key 'sise'; did you mean 'size'"):
        load("recommend", ["+backbones.pixels.sise=3"])


def test_several_labels(tmp_path):
    """By the official metric: what the pixels show at once, a random network does not hide."""

    class Tags:
        """Images that can be red, green, both or neither; some do not count for one of these."""

        def load(self):
            random = np.random.default_rng(0)
            signs = np.where(random.random((120, 2)) < 0.4, 1, -1)
            pixels = random.integers(0, 100, (120, 12, 12, 3), dtype=np.uint8)
            for channel in range(2):
                pixels[signs[:, channel] > 0, ..., channel] += 120
            signs[::8, 1] = 0
            samples = [
                Sample(str(row), ImageArray(image), tuple(map(int, labels)))
                for row, (image, labels) in enumerate(zip(pixels, signs, strict=True))
            ]
            return ImageSet("tags", ("red", "green"), samples, (Fold(np.arange(80), np.arange(80, 120)),), "mAP_11pt")

    result = find(
        dataset=Tags(),
        backbones={"pixels": Pixels(4), "tiny": Tiny()},
        candidates=["pixels", "tiny"],
        layer="last",
        pooling="auto",
        augmentation=center(),
        extractor=Extractor(device="cpu"),
        store=MemoryStore(),
        postprocess=Normalizer(),
        classifier=Tuned(LinearSVC(), C=[1.0, 10.0]),
        bootstrap=Bootstrap(100),
        budget="1h",
        race=Rules(first=40),
        tracking=NoTracking(),
        output_dir=str(tmp_path),
        config={},
    )
    table = list(csv.DictReader((tmp_path / "recommendation.csv").read_text().splitlines()))

    assert float(result) == float(table[0]["cv/mAP_11pt"]) > 0.95
    assert {row["backbone"] for row in table} == {"pixels", "tiny"}


def test_images_that_cannot_be_read(tmp_path):
    """Are left out with on_error=skip, and named."""
    words = pictures(tmp_path / "images", {"a": 16, "b": 16})
    for path in (tmp_path / "images/a").iterdir():
        if path.stem in ("3", "5"):
            path.write_bytes(b"no image")
    with pytest.raises(DatasetError, match="cannot be used"):
        recommend(tmp_path, *words)
    table = recommend(tmp_path, *words, "on_error=skip")
    left = list(csv.DictReader((tmp_path / "out/left_out.csv").read_text().splitlines()))

    assert len(table) == 4
    assert {row["role"] for row in left} == {"train"}


def test_without_a_server(tmp_path):
    """One that does not answer is told before the images are looked for; offline, the output folder keeps the run."""
    nowhere = ["dataset=folder", f"dataset.root={tmp_path / 'nowhere'}"]
    with pytest.raises(TrackingError, match="tracking=offline"):
        recommend(tmp_path, *nowhere, "tracking.uri=http://127.0.0.1:9")

    images = pictures(tmp_path / "images", {"a": 12, "b": 12})[:2]
    recommend(tmp_path, *images, "tracking=offline", "race.folds=2", "bootstrap.replicates=100")
    assert list((tmp_path / "out/tracking").glob("*/journal.jsonl"))
