"""Images that cannot be used: everything stops and names them all, or goes on and says what was left out."""

import csv
import json

import numpy as np
import pytest
from mlflow.tracking import MlflowClient
from PIL import Image
from test_tasks import run

from offshelf.dataset import Folder, check_images
from offshelf.errors import BadImagesError, ConfigError, DatasetError
from offshelf.store import DiskStore
from offshelf.tasks.on_error import skip_unreadable
from offshelf.tracking import MLflow
from offshelf.tracking.mlflow.client import default_uri

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning"
)


@pytest.fixture
def folder(tmp_path):
    """Two colours, train and test given; a cut JPEG in training, text in testing."""
    random = np.random.default_rng(0)
    for part, count in (("train", 12), ("test", 8)):
        for name, red in (("grey", 0), ("red", 120)):
            place = tmp_path / "data" / part / name
            place.mkdir(parents=True)
            for number in range(count):
                pixels = random.integers(0, 100, (30, 30, 3), dtype=np.uint8)
                pixels[..., 0] += red
                Image.fromarray(pixels).save(place / f"{number}.jpg")
    cut = tmp_path / "data/train/red/3.jpg"
    cut.write_bytes(cut.read_bytes()[:-100])
    (tmp_path / "data/test/grey/1.jpg").write_text("not an image")
    return tmp_path / "data"


def test_stop_names_every_bad_file_and_stores_nothing(folder, tmp_path):
    """Before any work."""
    with pytest.raises(BadImagesError) as bad:
        run(tmp_path, dataset=Folder(folder), store=DiskStore(tmp_path / "store"))

    assert "train/red/3.jpg cannot be read as an image: image file is truncated" in str(bad.value)
    assert "test/grey/1.jpg cannot be read as an image: its content is not of a known image format" in str(bad.value)
    assert "on_error=skip" in str(bad.value)
    assert not (tmp_path / "store").exists()


@pytest.mark.slow
def test_skip_goes_on_and_says_so(folder, tmp_path, capsys):
    """In the terminal, in metrics.json, in MLflow and in a table; the same with the features in the store."""
    for _ in range(2):
        result = run(
            tmp_path,
            dataset=Folder(folder),
            store=DiskStore(tmp_path / "store"),
            on_error="skip",
            tracking=MLflow(str(tmp_path)),
        )
    result.show()
    told = " ".join(capsys.readouterr().out.split())
    metrics = json.loads((tmp_path / "out/metrics.json").read_text())
    table = list(csv.DictReader((tmp_path / "out/left_out.csv").open()))
    client = MlflowClient(default_uri(tmp_path))
    (experiment,) = client.search_experiments(filter_string="name = 'offshelf'")
    runs = client.search_runs([experiment.experiment_id])
    parent = next(item for item in runs if "mlflow.parentRunId" not in item.data.tags)

    assert "Left out: 2 image(s) that cannot be used (1 of test, 1 of train)" in told
    assert {metrics[f"data/left_out{part}"] for part in ("_train", "_test")} == {1.0}
    assert metrics["data/left_out"] == parent.data.metrics["data/left_out"] == 2.0
    assert [(row["id"].split("/")[-1], row["role"]) for row in table] == [("3.jpg", "train"), ("1.jpg", "test")]
    assert "left_out.json" in {item.path for item in client.list_artifacts(parent.info.run_id)}


def test_rows_move_up(folder):
    """Targets and folds follow their samples."""
    images = Folder(folder).load()
    bad = {3: "bad", 20: "worse"}
    rest, left_out = images.without(bad)
    kept = [sample for row, sample in enumerate(images.samples) if row not in bad]

    assert list(rest.samples) == kept
    assert [one.why for one in left_out] == ["bad", "worse"]
    for part in ("train", "test"):
        before = [images.samples[row] for row in getattr(images.folds[0], part) if row not in bad]
        assert [rest.samples[row] for row in getattr(rest.folds[0], part)] == before


def test_too_little_left(folder):
    """A class that nothing can be learned of is an error with skip as well."""
    images = Folder(folder).load()
    reds = {int(row): "bad" for row in images.folds[0].train if images.classes[images.targets[row]] == "red"}
    with pytest.raises(DatasetError, match="none is left for the class red"):
        images.without(reds)
    with pytest.raises(DatasetError, match="none is left for testing"):
        images.without({int(row): "bad" for row in images.folds[0].test})


def test_on_error_is_stop_or_skip(folder):
    """Nothing else."""
    with pytest.raises(ConfigError, match="on_error is stop or skip; got 'ignore'"):
        skip_unreadable(Folder(folder).load(), "ignore", lambda images: check_images(images.pictures))
