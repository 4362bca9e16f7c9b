"""`classify`, `retrieve` and `recommend`: the words, defaults and numbers of the command line, from Python."""

import gc
import json
import subprocess
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
import warm
from noise import write_noise
from sklearn.linear_model import LogisticRegression
from torch import nn

import offshelf
from offshelf.api.settings import Settings, dataset_setting
from offshelf.api.to_config import described
from offshelf.backbone import Custom, Preprocessing, Tiny
from offshelf.config import build_group, components, load, plain
from offshelf.config.trust import Trust
from offshelf.dataset import Csv, Digits, Folder

CHEAP = {"backbone": "tiny", "C": 1.0, "bootstrap__replicates": 0}
"""Words of a run that takes no time."""


def in_memory(digits):
    """Images to train on, and to test on, with their labels."""
    pixels, classes = digits
    return (pixels[:40], classes[:40]), (pixels[40:], classes[40:])


@pytest.mark.slow
def test_same_numbers_as_the_command_line(tmp_path):
    """For the same words; so is the recorded config."""
    write_noise(images := tmp_path / "images")
    words = ["backbone=tiny", "layer=all", "classifier.C=[0.1,1]", "pooling=max", "seed=3", "augmentation=mirror"]
    words += ["dataset=folder", f"dataset.root={images}"]
    command = [warm.program(), "classify", *words, "tracking=none", f"hydra.run.dir={tmp_path}"]
    subprocess.run(command, check=True, capture_output=True)
    there = json.loads((tmp_path / "metrics.json").read_text())

    words = {"C": [0.1, 1], "pooling": "max", "seed": 3, "augmentation": "mirror", "dataset__root": images}
    result = offshelf.classify("folder", backbone="tiny", layer="all", **words, store=None)

    compared = [name for name in there if name.startswith(("test/", "cv/", "data/"))]
    assert len(compared) > 10
    assert {name: result.metrics[name] for name in compared} == {name: there[name] for name in compared}
    written = (tmp_path / "config.yaml").read_text().splitlines()
    here = (result.folder / "config.yaml").read_text().splitlines()
    differing = {line.split(":")[0].strip() for line in set(written) ^ set(here)}
    assert differing <= {"_target_", "root"}  # of the store, which is in memory here


@pytest.mark.parametrize("task", ["classify", "retrieve", "recommend"])
def test_defaults_are_those_of_the_configs(task, monkeypatch):
    """What a verb composes without words is what the command line composes, tracking excepted."""
    composed = []

    def stop(settings, *_):
        composed.append(plain(load(settings.task, settings.overrides)))
        raise InterruptedError

    monkeypatch.setattr("offshelf.api.verbs.run", stop)
    with pytest.raises(InterruptedError):
        getattr(offshelf, task)()

    expected = plain(load(task, ["tracking=none"]))
    assert composed == [expected]


@pytest.mark.slow
def test_words():
    """Each kind of keyword and value as an override."""
    given = {
        "backbone": offshelf.load_backbone("tiny", seed=2),
        "baseline": offshelf.load_backbone("tiny", seed=4),
        "layer": ["block1", "it's \\'${x}"],
        "C": np.array([0.5, 2.0]),
        "test_fraction": 0.3,
        "dataset__seed": 7,
        "classifier__folds": np.int64(3),
        "postprocess": "pca",
        "name": None,
        "tracking": True,
        "store": "/some/where",
    }
    settings = Settings.of("classify", given)
    config = plain(load("classify", settings.overrides))

    assert settings.objects == {}
    assert config["backbone"] == {"_target_": "offshelf.backbone.Tiny", "seed": 2}
    assert config["baseline"] == {"_target_": "offshelf.backbone.Tiny", "seed": 4}
    assert config["layer"] == given["layer"]
    assert (config["classifier"]["C"], config["classifier"]["folds"]) == ([0.5, 2.0], 3)
    assert (config["dataset"]["test_fraction"], config["dataset"]["seed"], config["seed"]) == (0.3, 7, 0)
    assert config["postprocess"] == plain(load("classify", ["postprocess=pca"]))["postprocess"]
    assert (config["name"], config["store"]["root"]) == (None, "/some/where")
    assert config["tracking"]["_target_"] == "offshelf.tracking.MLflow"


@pytest.mark.parametrize(
    "text", ["plain", "2026_11_29", "1.10", "null", "", "a'b", "a\\", "a\\'b", "${oc.env:HOME}", "ä,[{", "a\\\\'"]
)
def test_texts_mean_themselves(text):
    """Whatever characters they have."""
    assert plain(load("classify", Settings.of("classify", {"name": text}).overrides))["name"] == text


@pytest.mark.slow
def test_datasets(folder, tmp_path):
    """A name, a folder, a table, a spec: as the command line's words."""
    place, paths = folder
    table = tmp_path / "table.csv"
    table.write_text("path,label\n" + "".join(f"{path},{path.parent.name}\n" for path in paths))

    def made(dataset, **more):
        settings = Settings.of("classify", {**dataset_setting(dataset, more.pop("test", None)), **more})
        return settings.objects.get("dataset") or build_group(load("classify", settings.overrides), "dataset")

    assert made("digits") == Digits()
    assert made(place) == made(str(place)) == Folder(root=str(place), ignore=[])
    assert (
        made(place, test=0.5) == made(place, test_fraction=0.5) == Folder(root=str(place), test_fraction=0.5, ignore=[])
    )
    assert replace(made(table), columns={}) == Csv(path=str(table))
    assert made(Folder(root="x")) == Folder(root="x")


def test_folder_equals_its_paths_in_memory(folder):
    """Split alike, scored alike."""
    place, paths = folder
    first = offshelf.classify(place, **CHEAP, test=0.4)
    second = offshelf.classify((paths, [path.parent.name for path in paths]), **CHEAP, test=0.4)

    assert first.metrics["test/accuracy"] == second.metrics["test/accuracy"]
    assert first.images.digest == second.images.digest
    np.testing.assert_array_equal(first.chosen.outcomes[0].scores, second.chosen.outcomes[0].scores)


def test_against_scikit_learn(digits):
    """Images in memory with a test part of their own: encode, normalise, fit and score by hand."""
    (train, labels), (test, truth) = in_memory(digits)
    result = offshelf.classify((train, labels), test=(test, truth), classifier="logistic", layer="block2", **CHEAP)
    net = offshelf.load_backbone("tiny")
    seen, unseen = (net.encode(images, "block2").astype(float) for images in (train, test))
    seen, unseen = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (seen, unseen))
    model = LogisticRegression(C=1.0, tol=1e-6, max_iter=5000).fit(seen, labels)

    assert result.metrics["test/accuracy"] == pytest.approx(model.score(unseen, truth), abs=1 / len(truth))
    assert list(result.images.classes) == [str(number) for number in range(10)]


class Pairs:
    """A data set as torchvision's are."""

    classes = ("zero", "one", *map(str, range(2, 10)))

    def __init__(self, images, labels):
        self.images, self.labels = images, labels

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, row):
        return self.images[row], int(self.labels[row])


@pytest.mark.slow
def test_pairs(digits):
    """Give the result of the arrays, with the names of their classes."""
    train, test = in_memory(digits)
    result = offshelf.classify(Pairs(*train), test=Pairs(*test), **CHEAP)
    same = offshelf.classify(train, test=test, **CHEAP)

    assert result.images.classes[:2] == ("zero", "one")
    assert result.metrics["test/accuracy"] == same.metrics["test/accuracy"]
    subset = torch.utils.data.Subset(Pairs(*train), range(40))
    assert (
        offshelf.classify(subset, test=Pairs(*test), **CHEAP).metrics["test/accuracy"] == same.metrics["test/accuracy"]
    )


@pytest.mark.slow
def test_result(digits):
    """Tables, plots and predictions of one fitted model; the temporary folder goes with it."""
    train, test = in_memory(digits)
    result = offshelf.classify(train, test=test, layer="all", backbone="tiny", C=[1, 10], classifier__folds=2)

    assert list(result.table["layer"]) == ["block1", "block2", "block3", "pixels"]
    assert "<table" in result._repr_html_() and "test/accuracy" in result._repr_html_()
    counts = result.confusion()
    assert counts.to_numpy().sum() == 20
    assert np.diag(counts).sum() / 20 == pytest.approx(result.metrics["test/accuracy"])
    assert (result.run_id, result.backbone, result.layer in ("block1", "block2", "block3")) == ("", "tiny", True)
    for kind in (None, "layers", "curve", "confusion"):
        assert result.plot(kind).axes
    with pytest.raises(offshelf.ConfigError, match=r"plot is layers, curve .* or cka .*; got 'pie'"):
        result.plot("pie")
    classes = result.predict(test[0])
    np.testing.assert_array_equal(classes["class"], np.array(result.images.classes)[result.predictions.predicted])
    np.testing.assert_allclose(classes["score"], result.predictions.scores.max(axis=1), rtol=1e-5)
    with pytest.raises(offshelf.BadImagesError, match=r"row 1: .*got a int"):
        result.predict([test[0][0], 5])
    with pytest.raises(offshelf.ModelError, match="calibrate"):
        result.predict(test[0], probabilities=True)
    folder = result.folder
    assert (folder / "predictions.csv").is_file()
    del result
    gc.collect()
    assert not folder.exists()


def test_output_folder(digits, tmp_path):
    """Stays where it is asked for, and can be loaded."""
    train, test = in_memory(digits)
    result = offshelf.classify(
        train, test=test, output_dir=tmp_path / "out", backbone="tiny", C=[1, 10], classifier__folds=2
    )
    loaded = offshelf.load(tmp_path / "out")

    assert loaded.metrics["test/accuracy"] == result.metrics["test/accuracy"]
    assert (loaded.run_id, loaded.config["backbone"]["_target_"]) == ("", "offshelf.backbone.Tiny")
    assert loaded.predict(test[0]).equals(result.predict(test[0]))
    with pytest.raises(offshelf.ConfigError, match="dataset"):
        loaded.rerun()  # images in memory are not on record


@pytest.mark.slow
def test_prints_nothing(digits, folder, capfd, recwarn):
    """Not a line, not a bar, not a warning."""
    train, test = in_memory(digits)
    offshelf.classify(train, test=test, **CHEAP)
    offshelf.retrieve(folder[0], backbone="tiny", bootstrap__replicates=0)
    told = capfd.readouterr()

    assert (told.out, told.err) == ("", "")
    assert not list(recwarn)


@pytest.mark.slow
def test_module(digits, home, tmp_path):
    """A network that was given as an object is used as it is, and nothing of it is written into the store."""
    train, test = in_memory(digits)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 16, 3))
    net = offshelf.load_backbone(module, sees={"crop": 8, "resize": 8}, name="mine")
    words = {"test": test, "C": 1.0, "layer": "2", "output_dir": tmp_path / "out"}
    result = offshelf.classify(train, backbone=net, **words)

    assert (result.backbone, result.config["backbone"]) == ("mine", None)
    assert not list((home / "store").rglob("*.safetensors"))
    assert len(result.predict(test[0])) == 20
    with pytest.raises(offshelf.ConfigError, match="given as an object cannot be kept on disk"):
        offshelf.classify(train, backbone=net, store=tmp_path / "store", **words)
    with pytest.raises(offshelf.ConfigError, match=r"not of a run that can predict.*backbone"):
        offshelf.load(tmp_path / "out").predict(test[0])


def test_retrieve(folder):
    """As by hand: cosine similarity of all pairs, the query left out, mean of average precisions."""
    place, paths = folder
    result = offshelf.retrieve(place, backbone="tiny")
    rows = offshelf.load_backbone("tiny").encode(paths).astype(float)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    labels = np.array([path.parent.name for path in paths])
    precisions = []
    for query in range(len(rows)):
        order = np.argsort(-rows @ rows[query], kind="stable")
        found = (labels[order] == labels[query])[order != query]
        ranks = np.flatnonzero(found)
        precisions.append(np.mean((np.arange(len(ranks)) + 1) / (ranks + 1)))

    assert result.metrics["test/leave_query_out/mAP_rectangle"] == pytest.approx(np.mean(precisions), abs=1e-6)
    assert float(result) == result.metrics["test/leave_query_out/mAP"]
    assert len(result.queries) == 15
    assert result.plot().axes and result.plot("precision_recall").axes


@pytest.mark.slow
def test_recommend(tmp_path):
    """Ranks what is here, and says how to run the winner."""
    result = offshelf.recommend(candidates=["pixels"], budget="30s", race__first=100, race__folds=2, C=1.0)

    assert (result.backbone, result.layer) == ("pixels", "pixels")
    assert list(result.table["backbone"]) == ["pixels"]
    assert result.command.startswith("offshelf classify ") and "backbone=pixels" in result.command


@pytest.mark.parametrize(
    ("words", "kind", "sentence"),
    [
        ({"clasifier": "logistic"}, "ConfigError", "no key 'clasifier'; did you mean 'classifier'"),
        ({"CC": 1}, "ConfigError", "no key 'CC'; did you mean 'C'"),
        ({"classifier": "svm"}, "ConfigError", "classifier has no option 'svm'. There are: knn"),
        ({"dataset": "digts"}, "ConfigError", "dataset has no option 'digts'; did you mean 'digits'.* no folder"),
        ({"dataset": "./absent"}, "DatasetError", "absent is no"),
        (
            {"dataset": "folder", "folds": 3},
            "ConfigError",
            "folds is a key of dataset and of classifier: say dataset__folds",
        ),
        ({"layer": "blok1", "backbone": "tiny"}, "BackboneError", "no layer 'blok1'; did you mean 'block1'"),
        ({"C": "large"}, "ConfigError", "classifier.C"),
        ({"C": object()}, "ConfigError", "takes texts, numbers"),
        ({"dataset": 5}, "DatasetError", "A data set is a name, a folder.*got a int"),
        ({"dataset": ([], [])}, "DatasetError", "no images"),
        ({"test": ([], [])}, "ConfigError", "test= is a fraction, or the path of another source"),
        ({"dataset": Digits(), "test": 0.5}, "ConfigError", "Digits has its own test part"),
        ({"tracking": "mlfow"}, "ConfigError", "tracking has no option 'mlfow'; did you mean 'mlflow'"),
    ],
)
def test_mistakes(words, kind, sentence):
    """One sentence each, as on the command line."""
    with pytest.raises(getattr(offshelf, kind), match=sentence):
        offshelf.classify(**words)


class Named(list):
    """Pairs of a data set with names of classes, such as torchvision's; some of these number what has no class -1."""

    classes = ("cat", "dog")

    def __init__(self, labels):
        super().__init__((np.zeros((8, 8, 3), np.uint8), label) for label in labels)


@pytest.mark.slow
def test_labels_that_do_not_fit(digits):
    """Of images in memory."""
    pixels, classes = digits
    for images, labels, sentence in (
        (pixels, classes[:5], "60 images and 5 labels"),
        (pixels, np.eye(60, 10), "Labels are one text or number per image; got an array of shape"),
        (pixels[:3], ["a", "b", "c"], "Each class needs at least 2 images"),
        (pixels[:3], ["a", "a", "a"], "images has one class alone, a; two or more are needed"),
        (pixels[:3], ["a", None, "a"], r"Label 1 is missing \(None\); leave out images without a label"),
        (pixels[:3], [1.0, 2.0, float("nan")], r"Label 2 is missing \(nan\)"),
        (pixels[:3], pd.Series(["a", pd.NA, "b"]), "Label 1 is missing"),
        (pixels[:4], Named([0, 1, -1, 1]), "Label 2 is -1; labels of named classes are numbers from 0 to 1"),
    ):
        with pytest.raises(offshelf.DatasetError, match=sentence):
            offshelf.classify(labels if isinstance(labels, Named) else (images, labels), **CHEAP)
    with pytest.raises(offshelf.DatasetError, match="tested on that have no training images: 9"):
        offshelf.classify((pixels[:20], classes[:20] % 9), test=(pixels[20:], classes[20:]), **CHEAP)


def test_described():
    """A spec comes back from its record; what is in memory has none."""
    for spec in (Tiny(seed=3), Folder(root="x", ignore=["a"]), Custom("a.B", {"c": 1}, sees=Preprocessing(crop=32))):
        node = described(spec)
        group = "dataset" if isinstance(spec, Folder) else "backbone"
        assert components({group: node}, [group], Trust(everything=True))[group] == spec
    assert described(nn.ReLU()) is None and described(object()) is None


@pytest.mark.slow
def test_tracked_runs(digits):
    """Are found again by id: predictions, numbers and a comparison come out as those of the results."""
    words = {"backbone": "tiny", "C": [1, 10], "classifier__folds": 2, "test_fraction": 0.9}
    first = offshelf.classify("digits", layer="block3", tracking=True, **words)
    second = offshelf.classify("digits", layer="block1", **words)
    loaded = offshelf.load(first.run_id[:8])

    assert loaded.name == "digits tiny block3" and loaded.run_id == first.run_id
    assert loaded.predict(digits[0]).equals(first.predict(digits[0]))
    again = loaded.rerun()
    assert again.run_id == "" and again.metrics["test/accuracy"] == first.metrics["test/accuracy"]
    tracked = loaded.rerun(tracking=True)
    table = offshelf.compare([second, loaded])
    gap = float(first) - float(second)
    assert f"its accuracy is {gap:.4f} below A's" in offshelf.compare_report(first, second).html
    assert offshelf.compare([first, second]).drop(columns="id").equals(table.drop(columns="id"))
    assert list(table["accuracy"]) == sorted([float(first), float(second)], reverse=True)
    assert table["p"].notna().sum() == 1 and "layer" in table
    assert offshelf.compare([first.run_id, tracked.run_id])["difference"].dropna().tolist() == [0.0]
    with pytest.raises(offshelf.ConfigError, match="two runs or more"):
        offshelf.compare([first])
    with pytest.raises(offshelf.TrackingError, match="There is no run 'abcdef'"):
        offshelf.load("abcdef")
