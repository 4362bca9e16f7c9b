"""offshelf rerun on runs in a real store: equal, or what has changed since."""

import json
import shutil

import numpy as np
import pytest
from mlflow.tracking import MlflowClient
from PIL import Image

from offshelf.commands.rerun import changed, main
from offshelf.config import build, load, plain
from offshelf.errors import ConfigError
from offshelf.runs.recorded import RecordedRun
from offshelf.tracking.mlflow.client import default_uri

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning"
)


def picture(path, red, seed):
    """Noise, more or less red."""
    pixels = np.random.default_rng(seed).integers(0, 150, (24, 24, 3), dtype=np.uint8)
    pixels[..., 0] += np.uint8(red)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A home with one run on a folder of two classes, its images and its output folder beside it."""
    place = tmp_path_factory.mktemp("original")
    for seed in range(24):
        picture(place / "home/data/images" / "ab"[seed % 2] / f"{seed}.png", 30 * (seed % 2), seed)
    chosen = ["dataset=folder", f"dataset.root={place}/home/data/images", "backbone=tiny", "layer=all", "name=noise"]
    config = load("classify", [*chosen, f"home={place / 'home'}", "bootstrap.replicates=100", "classifier.C=[0.2,20]"])
    build(config)(output_dir=str(place / "out"), config=plain(config))
    return place


@pytest.fixture
def place(original, tmp_path, monkeypatch):
    """A moved copy of it; commands run there."""
    shutil.copytree(original, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    return tmp_path / "copy"


@pytest.mark.slow
def test_equal(original, monkeypatch, capsys):
    """Every metric to the last digit; the new run is tracked beside the old one, and says whose it is."""
    monkeypatch.chdir(original)
    home = original / "home"
    past = RecordedRun.find("noise", str(home))
    code = main(["noise", f"home={home}"]).code
    client = MlflowClient(default_uri(home))
    found = client.search_runs(
        [client.get_experiment_by_name("offshelf").experiment_id], f"tags.rerun_of = '{past.id}'"
    )

    assert code == 0
    assert "Equal: all" in capsys.readouterr().out
    assert [run.info.run_name for run in found] == ["noise"]
    assert found[0].data.metrics["test/accuracy/pixels"] == past.metrics["test/accuracy/pixels"]
    assert list((original / "outputs/rerun").rglob("metrics.json"))


def test_check_leaves_nothing(original, tmp_path, monkeypatch, capsys):
    """Neither runs nor files; with --cold also the features are made anew."""
    monkeypatch.chdir(tmp_path)
    home = original / "home"
    before = MlflowClient(default_uri(home)).search_runs(["1"])
    code = main(["noise", f"home={home}", "--check", "--cold"]).code
    shown = capsys.readouterr().out

    assert code == 0
    assert "Equal: all" in shown
    assert "Results are in" not in shown
    assert len(MlflowClient(default_uri(home)).search_runs(["1"])) == len(before)
    assert not list(tmp_path.iterdir())


def test_images_that_have_changed(place, capsys):
    """Found by the moved home's output folder: said, and the exit code is 1."""
    for path in sorted((place / "home/data/images/b").iterdir())[:6]:
        shutil.copy(place / "home/data/images/a" / "0.png", path)
    code = main([str(place / "out"), f"home={place / 'home'}", "--check"]).code
    shown = " ".join(capsys.readouterr().out.split())

    assert code == 1
    assert "An output folder does not tell what it was made with" in shown
    assert "Differs from the record" in shown
    assert "test/accuracy" in shown
    assert "Equal" not in shown


def test_what_differs_is_said(original, capsys):
    """A library's version and the data: digests and versions of the record."""
    home = original / "home"
    past = RecordedRun.find("noise", str(home))
    MlflowClient(default_uri(home)).set_tag(past.id, "version.torch", "0.0.1")
    MlflowClient(default_uri(home)).set_tag(past.id, "data_digest", "another")
    code = main([past.id[:8], f"home={home}", "--check"]).code
    shown = " ".join(capsys.readouterr().out.split())

    assert code == 0
    assert "Differs today" in shown
    assert "torch 0.0.1" in shown
    assert "Not the same as then: images, labels or folds (data_digest)." in shown


def test_a_moved_home_is_followed(place):
    """Paths in a recorded home are paths in this one; others stay."""
    config = RecordedRun.find(str(place / "out"), str(place / "home")).config

    assert config["home"] == str(place / "home")
    assert config["dataset"]["root"] == str(place / "home/data/images")
    assert config["store"]["root"] == str(place / "home/store")
    assert config["name"] == "noise"


def test_a_config_that_does_not_fit_any_more(place):
    """A key of another release."""
    file = place / "out/config.yaml"
    file.write_text(file.read_text(encoding="utf-8") + "bygone: 1\n", encoding="utf-8")

    with pytest.raises(ConfigError, match="no key 'bygone'"):
        main([str(place / "out"), "--check"])
    with pytest.raises(ConfigError, match="One run at a time"):
        main(["a", "b"])


def test_changes():
    """Both sides, also where one is missing."""
    assert changed({"a": 1, "b": 2}, {"b": 3, "c": 4}) == {"a": (1, None), "b": (2, 3), "c": (None, 4)}


def test_metrics_of_the_folder_are_the_runs(original):
    """So that either may be named."""
    by_folder = RecordedRun.find(str(original / "out"), str(original / "home"))

    assert by_folder.metrics == json.loads((original / "out/metrics.json").read_text())
    assert (
        by_folder.metrics["test/accuracy"] == RecordedRun.find("noise", str(original / "home")).metrics["test/accuracy"]
    )
