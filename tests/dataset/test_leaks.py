"""What test images share with training images: found, named, left out of training, and out of a second metric."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

import offshelf
from offshelf.dataset import Csv, Digits, Fold, LeakRules, settle_exact
from offshelf.dataset.leaks import DROPPED, settle
from offshelf.duplicates import NearSearch
from offshelf.errors import ConfigError, DatasetError
from offshelf.metric import METRICS, Outcome


def noise(seed):
    """A smooth random picture."""
    small = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((48, 48), Image.Resampling.BICUBIC)


@pytest.fixture
def table(tmp_path):
    """Of 24 training and 12 test images, test 0 and 1 are copies of training 0 and 1, the second with another label;
    test 2 and 3 are copies of training 2 and 3, compressed again."""
    lines = ["path,label,split,patient"]
    for row in range(24):
        noise(row).save(tmp_path / f"train{row}.png")
        lines.append(f"train{row}.png,{'ab'[row % 2]},train,p{row}")
    for row in range(12):
        source = noise(row if row < 4 else 100 + row)
        name = f"test{row}.jpg" if row in (2, 3) else f"test{row}.png"
        source.save(tmp_path / name, **({"quality": 92} if row in (2, 3) else {}))
        lines.append(f"{name},{'ab'[row % 2] if row != 1 else 'a'},test,{'p20' if row > 10 else f'q{row}'}")
    (tmp_path / "t.csv").write_text("\n".join(lines))
    return str(tmp_path / "t.csv")


def ids(images, rows):
    return [images.samples[row].id for row in rows]


def test_exact_leaks_and_groups(table):
    """Which they are, and from what; groups only where the set has some."""
    _, leaks = settle_exact(Csv(table, group="patient").load(), LeakRules())
    columns = leaks.columns()
    found = list(zip(columns["id"], columns["leak"], columns["training_id"], strict=True))

    assert found == [
        ("test0.png", "bytes", "train0.png"),
        ("test1.png", "bytes", "train1.png"),
        ("test11.png", "group", "train20.png"),
    ]
    assert columns["label"] == ["a", "a", "b"]
    assert columns["training_label"] == ["a", "b", "a"]
    assert leaks.groups == ["p20"]
    assert leaks.counts == {"data/leaked_groups": 1.0}
    assert "2 test image(s) are also training images" in leaks.summary()
    assert "1 test image(s) are of a group that is trained on (test11.png = train20.png)" in leaks.summary()
    plain = settle_exact(Csv(table).load(), LeakRules())[1]
    assert plain.counts == {}
    assert plain.rows("group").tolist() == []


def test_drop_leaves_them_out_of_training(table):
    """Test images stay as they are; what is left out is named."""
    before = Csv(table, group="patient").load()
    images, _ = settle_exact(before, LeakRules(on_leak="drop"))

    assert images.folds[0].test.tolist() == before.folds[0].test.tolist()
    lost = set(ids(images, before.folds[0].train)) - set(ids(images, images.folds[0].train))
    assert lost == {"train0.png", "train1.png", "train20.png"}
    assert {one.id for one in images.not_taken if one.why == DROPPED} == lost
    assert images.digest != before.digest
    assert not any(images.leaks.tested(fold).any() for fold in images.folds)


def test_drop_is_fold_by_fold(table):
    """In cross-validation an image is left out where its copy is tested alone."""
    images = Csv(table, columns={"split": None}, folds=3).load()
    dropped, _ = settle_exact(images, LeakRules(on_leak="drop"))
    copies = {
        "train0.png": "test0.png",
        "test0.png": "train0.png",
        "train1.png": "test1.png",
        "test1.png": "train1.png",
    }

    for before, after in zip(images.folds, dropped.folds, strict=True):
        tested = set(ids(images, before.test))
        kept = {name for name in ids(images, before.train) if copies.get(name) not in tested}
        assert set(ids(images, after.train)) == kept


def test_stop(table):
    """One sentence, with the first of them and the ways on."""
    with pytest.raises(
        DatasetError, match=r"2 test image\(s\) are also training.*test0.png = train0.png.*on_leak=drop"
    ):
        settle_exact(Csv(table).load(), LeakRules(on_leak="stop"))
    clean = Csv(table).load()
    clean = replace(clean, folds=(Fold(clean.folds[0].train[4:], clean.folds[0].test),))
    assert settle_exact(clean, LeakRules(on_leak="stop"))[1].summary() == ""


def test_nothing_left_to_train_on(table):
    """All training images are of tested groups."""
    images = Csv(table, group="patient").load()
    every = replace(images, groups=replace(images.groups, numbers_N=np.zeros(36, np.int64)))
    with pytest.raises(DatasetError, match="nothing is left to train on"):
        settle_exact(every, LeakRules(on_leak="drop"))


def test_near_duplicates_of_features(table):
    """By features that are equal but for noise: exact ones are near too, and are not counted twice."""
    images = Csv(table).load()
    rng = np.random.default_rng(0)
    values = rng.normal(size=(36, 1, 32)) + 3
    values[24:28] = values[:4] + 0.01 * rng.normal(size=(4, 1, 32))
    _, leaks = settle(images, LeakRules(leaks="near"), NearSearch(values, "cpu"))

    assert ids(images, leaks.rows("near")) == ["test0.png", "test1.png", "test2.jpg", "test3.jpg"]
    assert leaks.counts == {"data/leaked_near": 2.0, "data/near_two_labels": 1.0}
    dropped, _ = settle(images, LeakRules(leaks="near", on_leak="drop"), NearSearch(values, "cpu"))
    assert ids(dropped, dropped.folds[0].train)[0] == "train4.png"


def test_settings():
    """What they can be."""
    for wrong in ({"leaks": "all"}, {"on_leak": "ignore"}, {"near": 0}, {"near": 1.5}):
        with pytest.raises(ConfigError, match=r"dataset\.(leaks|on_leak|near)"):
            Digits(**wrong)


@pytest.mark.slow
def test_a_run_with_leaks(table, tmp_path):
    """The second metric is the first on the other test images; both are recorded, and the files name the images."""
    words = {"backbone": "pixels", "store": None, "C": 1.0, "group": "patient", "leaks": "near"}
    result = offshelf.classify(table, output_dir=tmp_path / "run", **words)
    score = result.scores[-1]
    (leaked,) = score.leaked
    (outcome,) = score.outcomes
    theirs = METRICS["accuracy"](Outcome(outcome.targets[~leaked], outcome.scores[~leaked]))[0]
    lines = list(csv.DictReader((tmp_path / "run" / "leaks.csv").read_text().splitlines()))
    known = json.loads((tmp_path / "run" / "data.json").read_text())

    assert leaked.sum() == 5
    assert score.metrics["test_without_leaks/accuracy"] == pytest.approx(theirs)
    assert score.metrics["test_without_leaks/accuracy_low"] <= theirs
    assert {line["id"] for line in lines if line["leak"] == "near"} == {
        "test0.png", "test1.png", "test2.jpg", "test3.jpg"
    }  # fmt: skip
    assert (known["data/leaked_test"], known["data/leaked_near"], known["data/leaked_groups"]) == (2, 2, 1)
    dropped = offshelf.classify(table, output_dir=tmp_path / "other", on_leak="drop", **words)
    assert "test_without_leaks/accuracy" not in dropped.scores[-1].metrics
    assert len(dropped.images.folds[0].train) == 19
    assert (tmp_path / "other" / "leaks.csv").exists()
