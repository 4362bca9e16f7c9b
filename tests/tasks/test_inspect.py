"""`offshelf inspect`: planted faults are at the top of their lists, its tables can be read again, of runs too."""

import json
from dataclasses import dataclass, replace

import numpy as np
import photographs
import pytest
from PIL import Image
from pyarrow import parquet

import offshelf
from offshelf.commands.inspect import main
from offshelf.dataset import Csv, Fold, Folder
from offshelf.errors import ConfigError, DatasetError
from offshelf.report.cell import read_csv


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """A folder of class folders, trained and tested on."""
    root = tmp_path_factory.mktemp("photos")
    photographs.write_folder(root, 10, 5)
    return root


@pytest.fixture(scope="module")
def features(tmp_path_factory):
    """A store that the tests share."""
    return tmp_path_factory.mktemp("store")


def first(table, column="id", count=10):
    return table[column].tolist()[:count]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.soak) for seed in (2, 3, 4))])
def test_planted_faults_are_among_the_first_ten(seed, features, tmp_path):
    """Three wrong labels, two copies and a leak in a folder of photographs, by a real network."""
    photographs.write_folder(tmp_path, 16, 7)
    wrong, copies, leak = photographs.plant(tmp_path, seed)
    found = offshelf.inspect(tmp_path, store=features, C=1, bootstrap__replicates=0, report__points=100)
    suggested = dict(zip(found.labels["id"][:10], found.labels["suggested_label"][:10], strict=True))
    groups = found.copies[found.copies["group"] <= 10].groupby("group")["id"].agg(set).tolist()
    leaks = list(zip(found.leaks["id"], found.leaks["training_id"], strict=True))[:10]

    assert {name: suggested.get(name) for name, _ in wrong} == dict(wrong)
    assert all(any({one, other} <= group for group in groups) for one, other in copies)
    assert leak in leaks
    assert found.metrics["test_without_leaks/accuracy"] <= 1


@pytest.fixture(scope="module")
def result(photos, features, tmp_path_factory):
    """An inspection by a small network, in a folder of its own."""
    folder = tmp_path_factory.mktemp("inspection")
    return offshelf.inspect(photos, backbone="tiny", store=features, output_dir=folder)


@pytest.mark.slow
def test_tables_say_what_the_lists_say(result, photos):
    """Each row of a table is an image of the set; probabilities are those of the label and of another class."""
    labels, images = result.labels, result.inspection.images

    assert sorted(labels["id"]) == sorted(sample.id for sample in images.samples)
    assert (labels["label"] != labels["suggested_label"]).all()
    assert (labels["label_probability"] + labels["suggested_probability"] <= 1.0001).all()
    assert result.table["count"].tolist()[0] == labels["flagged"].sum()
    assert set(labels["path"]) == {str(path) for path in photos.rglob("*.jpg")}
    assert json.loads((result.folder / "metrics.json").read_text())["test/accuracy"] == result.metrics["test/accuracy"]


def test_metadata_is_a_data_set(result, photos):
    """As it is, it is the same set with the same split; with suggestions only flagged labels differ."""
    file = result.folder / "metadata.csv"
    same, given = Csv(str(file)).load(), result.inspection.images
    suggested = Csv(str(file), columns={"label": "suggested_label"}).load()
    changed = same.targets != suggested.targets

    assert same.classes == given.classes
    assert same.targets.tolist() == given.targets.tolist()
    assert [fold.test.tolist() for fold in same.folds] == [fold.test.tolist() for fold in given.folds]
    assert changed.sum() == result.inspection.labels.count > 0
    assert np.flatnonzero(changed).tolist() == sorted(result.inspection.labels.suggestions())


def test_odd_names_come_back(tmp_path):
    """Classes and files named like formulas, with commas, quotes and letters beyond ASCII."""
    names = ["=1+1", "@a, b", '-"c"']
    for number, name in enumerate(names):
        for count in range(6):
            file = tmp_path / "photos" / name / f"+{count}é.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.random.default_rng([number, count]).integers(0, 256, (9, 9, 3), np.uint8)).save(file)
    found = offshelf.inspect(tmp_path / "photos", backbone="pixels", store=None, output_dir=tmp_path / "out")
    again = Csv(str(tmp_path / "out/metadata.csv")).load()

    assert set(again.classes) == set(names)
    assert again.targets.tolist() == [again.classes.index(found.inspection.images.label(row)) for row in range(18)]


def test_parquet(result):
    """A row per image: features, places on the map and findings."""
    table = parquet.read_table(result.folder / "inspection.parquet").to_pydict()
    inspection = result.inspection

    assert np.array(table["features"], np.float32).tolist() == inspection.features_ND.tolist()
    assert table["label_is_flagged"].count(True) == inspection.labels.count
    assert np.isfinite([table["x"], table["y"]]).all()
    assert table["path"][0] == inspection.images.samples[0].image.path.as_posix()


@pytest.mark.slow
def test_of_a_run(photos, features, tmp_path, capsys):
    """By its output folder, with its layer; in Python of a result, and of one that is loaded: the same lists."""
    run = offshelf.classify(
        photos, backbone="tiny", layer=["block2", "block3"], store=features, C=[0.2, 2], output_dir=tmp_path / "run"
    )
    found = main([str(tmp_path / "run"), "--out", str(tmp_path / "found")]).data

    assert capsys.readouterr().out.count(f"{run.layer}") >= 1
    _, *rows = read_csv((tmp_path / "found/labels.csv").read_text(encoding="utf-8"))
    loaded = offshelf.load(tmp_path / "run").inspect()
    for other in (run.inspect(), loaded):
        assert [row[0] for row in rows] == other.labels["id"].tolist()
    assert found.metrics["test/accuracy"] == run.metrics["test/accuracy"]
    assert (found.folder / "inspection.html").is_file()
    assert main([str(tmp_path / "run"), "layer=block1", "--out", str(tmp_path / "other")]).data.run.title.endswith(
        "block1"
    )


def test_what_cannot_be_checked_is_said(photos, features, tmp_path):
    """A class with one training image: its label is not checked, and all else is."""
    lines = ["path,label,split"]
    for path in sorted(photos.rglob("*.jpg")):
        lines.append(f"{path},{path.parent.name},{path.parents[1].name}")
    lonely = tmp_path / "lonely.png"
    Image.new("RGB", (40, 30), (200, 0, 0)).save(lonely)
    (tmp_path / "table.csv").write_text("\n".join([*lines, f"{lonely},lonely,train"]))
    found = offshelf.inspect(tmp_path / "table.csv", backbone="tiny", store=features)

    assert "lonely" in found.notes[0]
    assert len(found.labels) == len(lines) - 1
    assert "of one colour" in found.odd.set_index("id").loc[str(lonely), "kinds"]
    assert found.metadata["label"].tolist()[-1] == found.metadata["suggested_label"].tolist()[-1] == "lonely"


def test_images_that_cannot_be_read_are_listed(photos, features, tmp_path):
    """They do not end an inspection."""
    for path in photos.rglob("*.jpg"):
        copy = tmp_path / "photos" / path.relative_to(photos)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.symlink_to(path)
    (tmp_path / "photos/train/ball/broken.jpg").write_bytes(b"no image")
    found = offshelf.inspect(tmp_path / "photos", backbone="tiny", store=features, output_dir=tmp_path / "out")

    assert "broken.jpg" in (tmp_path / "out/left_out.csv").read_text(encoding="utf-8")
    assert "broken.jpg" in found.report().html or "cannot be read" in found.report().html


def test_numbers_are_not_checked():
    """Images with numbers: copies and odd ones are found."""
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (8, 8, 3), np.uint8) for _ in range(40)]
    found = offshelf.inspect((pictures, rng.random(40)), backbone="pixels", store=None, dataset__target="number")

    assert found.labels.empty
    assert "numbers are not checked" in found.notes[0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["digits"], "offshelf inspect dataset=digits"),
        (["."], "offshelf inspect dataset=folder dataset.root=."),
    ],
)
def test_a_data_set_in_place_of_a_run(arguments, said):
    with pytest.raises(ConfigError, match=said):
        main(arguments)


def test_several_layers_are_asked_about():
    with pytest.raises(ConfigError, match="layer=block3"):
        offshelf.inspect("digits", backbone="tiny", layer="all")


def test_one_class_alone(tmp_path, features):
    """Is not a set with labels."""
    photographs.write_folder(tmp_path, 2, 0)
    for kind in photographs.CLASSES[1:]:
        for path in (tmp_path / "train" / kind).iterdir():
            path.unlink()
    with pytest.raises(DatasetError):
        offshelf.inspect(tmp_path, backbone="tiny", store=features)


@dataclass(frozen=True)
class Partly:
    """A set of photographs, the last of which no fold uses."""

    root: str

    def load(self):
        images = Folder(self.root).load()
        (fold,) = images.folds
        return replace(images, folds=(Fold(fold.train[np.arange(60) % 6 > 0], fold.test),))


def test_images_of_no_fold_are_not_checked(photos, features):
    """Which is said; copies and odd ones are looked for among all."""
    found = offshelf.inspect(Partly(str(photos)), backbone="tiny", store=features)

    assert "labels of 10 image(s)" in " ".join(found.notes)
    assert len(found.labels) == 80
    assert len(found.metadata) == 90


def test_neighbours_of_few_images(photos, features, tmp_path):
    """More neighbours are chosen than a part without the held-out images has: it takes what there is."""
    run = offshelf.classify(
        photos, backbone="tiny", store=features, classifier="knn", n_neighbors=[50, 59], output_dir=tmp_path / "run"
    )
    assert run.inspect().labels["label_probability"].between(0, 1).all()
