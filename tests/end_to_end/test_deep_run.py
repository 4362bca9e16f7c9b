"""A set of images of 12 bits in 16, from the run to its prediction, server and repetition: one range all the way."""

import csv
import json

import numpy as np
import pytest
import yaml
from PIL import Image

from offshelf.commands.predict import main
from offshelf.commands.rerun import rerun
from offshelf.config import build, load, plain
from offshelf.config.trust import Trust
from offshelf.dataset import ImageBytes, ImageFile
from offshelf.errors import ImageError
from offshelf.runs.recorded import RecordedRun
from offshelf.serving.service import Service
from offshelf.tracking import NoTracking

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning"),
]


def picture(path, label, seed, depth=12):
    """Stripes that run one way or the other, some images much darker than others."""
    rng = np.random.default_rng(100 * label + seed)
    stripes = np.broadcast_to(np.arange(24) % 6 < 3, (24, 24))
    values = 0.6 * (stripes if label else stripes.T) + 0.4 * rng.random((24, 24))
    values = (values / (1, 16)[seed % 2] * (2**depth - 1)).astype(np.uint16)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values if depth > 8 else values.astype(np.uint8)).save(path)


def run(place, name, depth):
    """A run on images of a depth, with its output folder's config."""
    for label in (0, 1):
        for seed in range(8):
            part = "train" if seed < 4 else "test"
            picture(place / name / part / f"class{label}" / f"{seed}.png", label, seed, depth)
    words = ["dataset=folder", f"dataset.root={place / name}", "backbone=tiny", "bootstrap.replicates=0"]
    config = load("classify", [*words, "tracking=none", f"home={place / 'home'}"])
    build(config)(output_dir=str(place / f"{name}-out"), config=plain(config))
    return place / f"{name}-out"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Runs on images of 12 and of 8 bits."""
    place = tmp_path_factory.mktemp("deep")
    run(place, "deep", 12)
    run(place, "flat", 8)
    return place


def test_one_picture_alone_is_scored_by_the_sets_range(place, tmp_path):
    """Each test image by itself, dark ones among them, has the score that it has in the run."""
    lines = list(csv.DictReader((place / "deep-out/predictions.csv").read_text().splitlines()))
    service = Service.of(place / "deep-out")
    for line in lines:
        file = place / "deep" / line["id"]
        out = tmp_path / "out.json"
        assert main([str(place / "deep-out"), str(file), f"home={place / 'home'}", "--out", str(out)]).code == 0
        predicted = json.loads(out.read_text())[0]
        served = service.answer([file.read_bytes()])[0]
        assert predicted["class"] == line["predicted"] == served["class"]
        assert predicted["score"] == pytest.approx(float(line["score"]), abs=1e-5)
        assert served["score"] == pytest.approx(float(line["score"]), abs=1e-5)


def test_the_model_keeps_it(place):
    """And gives it to images of more than 8 bits alone."""
    predictor = Service.of(place / "deep-out").predictor

    assert predictor.model.value_range == (0, 4095)
    assert predictor.file(place / "x.png") == ImageFile(place / "x.png", value_range=(0, 4095))


def test_a_model_of_8_bits_refuses_more(place, capsys):
    """It has no range for them, and none is guessed from one picture."""
    deep = place / "deep/test/class0/4.png"
    service = Service.of(place / "flat-out")
    assert service.predictor.model.value_range is None

    with pytest.raises(ImageError, match="more than 8 bits per value, and no range of values is set"):
        ImageBytes(deep.read_bytes()).load()
    with pytest.raises(ImageError, match="more than 8 bits per value, and no range of values is set"):
        main([str(place / "flat-out"), str(deep), f"home={place / 'home'}"])


def test_it_runs_again_to_the_last_digit(place):
    """From its own record, features extracted anew."""
    past = RecordedRun.find(str(place / "deep-out"))
    again = rerun(past, NoTracking(), Trust(), is_kept=False, is_cold=True)

    assert {name: again.metrics[name] for name in past.metrics if name.startswith("test/")} == {
        name: value for name, value in past.metrics.items() if name.startswith("test/")
    }
    assert yaml.safe_load((place / "deep-out/config.yaml").read_text())["dataset"]["value_range"] == "auto"
