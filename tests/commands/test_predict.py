"""offshelf predict, as a user types it, on a run of a folder of images."""

import csv
import json

import numpy as np
import pytest
import yaml
from PIL import Image

from offshelf.backbone import Tiny
from offshelf.commands.predict import main
from offshelf.config import build, load, plain
from offshelf.errors import ConfigError, DatasetError, ImageError, ModelError, TrackingError
from offshelf.model import columns, records
from offshelf.serving.service import Service
from offshelf.tracking.mlflow.reading import TrackedRuns

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning"
)

COLOURS = {"blue": (40, 40, 200), "grün, hell": (40, 200, 40), "red": (200, 40, 40)}


def picture(path, colour, seed):
    """A noisy image of one colour."""
    noise = np.random.default_rng(seed).integers(-60, 60, (24, 32, 3))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)).save(path)


def classify(output, *overrides):
    """A run, as the command line makes it."""
    config = load("classify", ["backbone=tiny", "bootstrap.replicates=0", "augmentation=mirror", *overrides])
    build(config)(output_dir=str(output), config=plain(config))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A home and an output folder with one run, and its images: train/ and test/ of three colours."""
    place = tmp_path_factory.mktemp("place")
    for number, (name, colour) in enumerate(COLOURS.items()):
        for seed in range(8):
            part = "train" if seed < 5 else "test"
            picture(place / "images" / part / name / f"{seed}.png", colour, 100 * number + seed)
    home = [f"home={place / 'home'}"]
    classify(place / "out", "dataset=folder", f"dataset.root={place / 'images'}", "layer=all", "name=colours", *home)
    return place


def predicted(place, *arguments, run="colours"):
    """The lines that are written."""
    out = place / "out.csv"
    assert main([run, *map(str, arguments), f"home={place / 'home'}", "--out", str(out)]).code == 0
    return list(csv.DictReader(out.read_text(encoding="utf-8").splitlines()))


@pytest.mark.slow
@pytest.mark.parametrize("run", ["colours", "out"])
def test_the_runs_own_test_images(run, place):
    """The very classes and scores of predictions.csv, whether the run is found in the tracker or by its folder."""
    lines = predicted(place, place / "images/test", run=run if run == "colours" else str(place / run))
    own = list(csv.DictReader((place / "out/predictions.csv").read_text(encoding="utf-8").splitlines()))

    assert [line["image"] for line in lines] == [str(place / "images" / line["id"]) for line in own]
    assert [line["class"] for line in lines] == [line["predicted"] for line in own]
    assert [float(line["score"]) for line in lines] == pytest.approx([float(line["score"]) for line in own], abs=1e-5)
    assert {line["class"] for line in lines} == set(COLOURS)


def test_features_extracted_anew_score_the_same(place, tmp_path):
    """In a home without a store, from the output folder alone."""
    config = yaml.safe_load((place / "out/config.yaml").read_text(encoding="utf-8"))
    (tmp_path / "run").mkdir()
    for file in ("model.safetensors", "metrics.json"):
        (tmp_path / "run" / file).write_bytes((place / "out" / file).read_bytes())
    text = yaml.safe_dump(config | {"store": {"_target_": "offshelf.store.MemoryStore"}})
    (tmp_path / "run/config.yaml").write_text(text)
    cold = predicted(place, place / "images/test", run=str(tmp_path / "run"))
    warm = predicted(place, place / "images/test")

    assert [float(line["score"]) for line in cold] == pytest.approx([float(line["score"]) for line in warm], abs=1e-5)


def test_files_folders_and_patterns(place):
    """In the order given, none twice, and what a pattern of folders holds."""
    test = place / "images/test"
    lines = predicted(place, test / "red/6.png", test / "red", str(place / "images/**/blue/[67].png"))
    names = [line["image"].removeprefix(f"{test}/") for line in lines]

    assert names == ["red/6.png", "red/5.png", "red/7.png", "blue/6.png", "blue/7.png"]


def test_printed_without_a_file(place, capsys):
    """CSV, and nothing else, so that it can be piped."""
    main(["colours", str(place / "images/test/red"), f"home={place / 'home'}"])
    lines = capsys.readouterr().out.splitlines()

    assert lines[0] == "image,class,score"
    assert [line.split(",")[1] for line in lines[1:]] == ["red"] * 3


def test_json(place):
    """With the scores of all classes."""
    out = place / "out.json"
    main(["colours", str(place / "images/test/red/6.png"), f"home={place / 'home'}", "--out", str(out)])
    (record,) = json.loads(out.read_text(encoding="utf-8"))

    assert record["class"] == "red"
    assert set(record["scores"]) == set(COLOURS)
    assert record["score"] == record["scores"]["red"] == max(record["scores"].values())


def test_several_labels(place):
    """All labels above 0, or none."""
    model = type("Model", (), {"classes": ("sky", "sea", "sand"), "kind": "labels", "is_multilabel": True})
    scores = np.array([[0.5, 2.0, -1.0], [-1.0, -2.0, 0.0]])

    assert columns(model, ["a", "b"], scores)["labels"] == ["sky;sea", ""]
    assert columns(model, ["a", "b"], scores)["score sea"] == [2.0, -2.0]
    assert [record["labels"] for record in records(model, ["a", "b"], scores)] == [["sky", "sea"], []]


def test_images_that_cannot_be_read(place, caplog):
    """All named before any work, or left out."""
    broken = place / "broken.png"
    broken.write_bytes(b"no image")
    arguments = [broken, place / "missing.png", place / "images/test/red/6.png"]

    with pytest.raises(ImageError, match=r"2 image\(s\) cannot be used") as caught:
        predicted(place, *arguments)
    assert "broken.png" in str(caught.value) and "missing.png" in str(caught.value)
    assert [line["class"] for line in predicted(place, *arguments, "on_error=skip")] == ["red"]
    assert "broken.png" in caplog.text


def test_another_network_is_refused(place, tmp_path):
    """Its features would mean nothing to the model."""
    text = (place / "out/config.yaml").read_text(encoding="utf-8")
    (tmp_path / "model.safetensors").write_bytes((place / "out/model.safetensors").read_bytes())
    (tmp_path / "config.yaml").write_text(text.replace("precision: float32", "precision: bfloat16"))

    with pytest.raises(ModelError, match="no longer the network that this model was fitted on"):
        predicted(place, place / "images", run=str(tmp_path))


def test_a_model_whose_parts_do_not_fit(place, tmp_path):
    """One sentence: here it names a class more than it scores."""
    from safetensors import safe_open
    from safetensors.numpy import save_file

    with safe_open(place / "out/model.safetensors", "numpy") as file:
        described = json.loads(file.metadata()["offshelf"])
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    described["classes"].append("more")
    save_file(arrays, tmp_path / "model.safetensors", {"offshelf": json.dumps(described)})
    (tmp_path / "config.yaml").write_bytes((place / "out/config.yaml").read_bytes())

    with pytest.raises(ModelError, match="The model does not fit the features of block"):
        predicted(place, place / "images/test", run=str(tmp_path))


def test_probabilities(place, tmp_path):
    """Of a run that learnt them, unless they are not wanted; its scores are not changed by them."""
    calibrated = tmp_path / "out"
    data = ["dataset=folder", f"dataset.root={place / 'images'}", f"home={place / 'home'}", "tracking=none"]
    classify(calibrated, *data, "layer=block3", "classifier.calibrate=true")
    images = place / "images/test"
    asked = predicted(place, images, "probabilities=true", run=str(calibrated))
    plain = predicted(place, images, "probabilities=false", run=str(calibrated))
    out = tmp_path / "answers.json"
    main([str(calibrated), str(images), "probabilities=true", f"home={place / 'home'}", "--out", str(out)])
    answers = json.loads(out.read_text(encoding="utf-8"))
    served = Service.of(calibrated).answer([(images / "red/6.png").read_bytes()])

    assert [{key: line[key] for key in plain[0]} for line in asked] == plain
    assert "probability" not in plain[0]
    assert predicted(place, images, run=str(calibrated)) == asked
    assert [float(line["probability"]) for line in asked] == pytest.approx(
        [answer["probability"] for answer in answers]
    )
    assert [answer["probability"] for answer in answers] == [
        max(answer["probabilities"].values()) for answer in answers
    ]
    assert [sum(answer["probabilities"].values()) for answer in answers] == pytest.approx([1.0] * len(answers))
    assert all(float(line["probability"]) > 1 / 3 for line in asked)
    assert served[0]["probabilities"]["red"] == pytest.approx(
        next(answer["probabilities"]["red"] for answer in answers if answer["image"].endswith("red/6.png"))
    )
    with pytest.raises(ModelError, match=r"not learnt probabilities. Run it again with classifier\.calibrate=true"):
        predicted(place, images, "probabilities=true")
    with pytest.raises(ConfigError, match="probabilities is true or false; got 'yes'"):
        predicted(place, images, "probabilities=yes")


def test_requests_share_one_network(place, monkeypatch):
    """Built before the first of them; each is answered as the run itself answers."""
    built = []
    load_network = Tiny.load
    monkeypatch.setattr(Tiny, "load", lambda spec: built.append(spec) or load_network(spec))
    service = Service.of(place / "out")
    service.warm_up()
    assert len(built) == 1
    images = [place / f"images/test/{name}.png" for name in ("red/5", "blue/6")]
    answers = [service.answer([image.read_bytes()])[0] for image in images]

    assert len(built) == 1
    own = predicted(place, *images)
    assert [answer["score"] for answer in answers] == pytest.approx([float(line["score"]) for line in own], abs=1e-5)
    assert [answer["class"] for answer in answers] == ["red", "blue"]


def test_runs_that_cannot_predict(place, tmp_path):
    """Each in a sentence with the way out."""
    image = place / "images/test/red/6.png"
    (tmp_path / "config.yaml").write_bytes((place / "out/config.yaml").read_bytes())
    parent = TrackedRuns(str(place / "home")).find("colours")[0]

    with pytest.raises(ModelError, match="kept no model"):
        predicted(place, image, run=str(tmp_path))
    with pytest.raises(TrackingError, match=f"it is a layer of the run {parent.id[:8]}"):
        predicted(place, image, run="block1")
    with pytest.raises(TrackingError, match="means 4 runs"):
        predicted(place, image, run="params.dataset = 'images' and attributes.run_name != 'colours'")
    with pytest.raises(DatasetError, match="There are no images at"):
        predicted(place, tmp_path)
    with pytest.raises(DatasetError, match="There are no images at"):
        predicted(place, place / "*.gif")
    with pytest.raises(ConfigError, match=r"--out is a \.csv or \.json file"):
        main(["colours", "a.png", "--out", "out.txt"])


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        *((group, None, f"no usable {group}") for group in ("augmentation", "backbone", "extractor", "store")),
        *((group, [], f"no usable {group}") for group in ("augmentation", "backbone", "extractor", "store")),
        ("extractor", {"_target_": "offshelf.backbone.Tiny"}, "no usable extractor"),
        ("dataset", "images", "dataset is not a group of keys"),
        ("dataset", {"max_pixels": "many"}, r"dataset\.max_pixels is not a whole number"),
        ("dataset", {"max_pixels": None}, r"dataset\.max_pixels is not a whole number"),
        ("dataset", {"background": None}, "is not a colour"),
        ("dataset", {"background": [300, 0, 0]}, "is not a colour"),
    ],
)
def test_records_that_lack_a_part(place, tmp_path, key, value, message):
    """They may be damaged, or anybody's."""
    config = yaml.safe_load((place / "out/config.yaml").read_text())
    (tmp_path / "config.yaml").write_text(yaml.safe_dump({**config, key: value}))
    (tmp_path / "model.safetensors").write_bytes((place / "out/model.safetensors").read_bytes())
    with pytest.raises((ConfigError, ImageError), match=message):
        predicted(place, place / "images/test/red/6.png", run=str(tmp_path))
