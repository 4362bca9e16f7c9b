"""Training on one source and testing on another: classes by name, and what is missing on a side is said."""

import numpy as np
import pytest
from PIL import Image

from offshelf.dataset import Csv, Digits, Fold, Folder, ImageArray, ImageSet, Sample, load_searched, load_unsplit
from offshelf.dataset.groups import Groups
from offshelf.dataset.two_sets import joined
from offshelf.errors import ConfigError, DatasetError

PIXEL = ImageArray(np.zeros((2, 2, 3), np.uint8))


def folders(root, classes, count=4, seed=0):
    """A folder of class folders."""
    for number, name in enumerate(classes):
        for index in range(count):
            file = root / name / f"{index}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            pixels = np.random.default_rng([seed, number, index]).integers(0, 256, (4, 4, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(file)
    return str(root)


@pytest.fixture
def sources(tmp_path):
    """Photographs of cats, dogs and horses; sketches of Cats, dogs and zebras, in another order."""
    return folders(tmp_path / "photos", ["cat", "dog", "horse"]), folders(
        tmp_path / "sketches", ["Cat", "dog", "zebra"], 3, 1
    )


def test_classes_are_matched_by_name(sources):
    """All photographs are trained on, sketches of known classes tested on; the others are named."""
    photos, sketches = sources
    images = Folder(photos, test=sketches).load()
    (fold,) = images.folds

    assert images.name == "photos to sketches"
    assert images.classes == ("cat", "dog", "horse")
    assert [images.samples[row].id for row in fold.test] == [
        f"sketches/{c}/{n}.png" for c in ("Cat", "dog") for n in range(3)
    ]
    assert images.targets[fold.test].tolist() == [0, 0, 0, 1, 1, 1]
    assert images.counts(fold.train).tolist() == [4, 4, 4]
    assert {one.id for one in images.not_taken} == {f"sketches/zebra/{n}.png" for n in range(3)}
    said = " ".join(images.notes)
    assert "1 class(es) of sketches are not in photos: zebra." in said
    assert "1 class(es) of photos are not tested on: horse." in said
    assert "1 class(es) are spelt differently, and taken as the same: Cat (cat)." in said


def test_splits_of_their_own(tmp_path):
    """The training part of the first and the test part of the second."""
    for name in ("one", "two"):
        for part in ("train", "test"):
            folders(tmp_path / name / part, ["a", "b"], 2, len(name + part))
    images = Folder(str(tmp_path / "one"), test=str(tmp_path / "two")).load()

    assert all(images.samples[row].id.startswith("train/") for row in images.folds[0].train)
    assert all(images.samples[row].id.startswith("two/test/") for row in images.folds[0].test)


def test_other_kinds_of_sources(sources, tmp_path):
    """A table for a folder, as a data set; shots are of the training images; nothing is drawn from the test images."""
    photos, sketches = sources
    table = tmp_path / "t.csv"
    table.write_text(
        "path,label\n" + "\n".join(f"sketches/{c}/{n}.png,{c.lower()}" for c in ("Cat", "dog") for n in range(3))
    )
    images = Folder(photos, test=Csv(str(table)), shots=[1, 2], draws=2).load()

    assert [len(fold.train) for fold in images.folds] == [6, 6]
    assert [len(fold.test) for fold in images.folds] == [6, 6]
    assert len(load_unsplit(Folder(photos, test=sketches)).samples) == 18
    assert len(Digits(test=Digits()).load().folds[0].train) == 898
    with pytest.raises(ConfigError, match=r"is a file, and this data set a folder: dataset@dataset.test=csv"):
        Folder(photos, test=str(table)).load()
    with pytest.raises(ConfigError, match=r"is a folder, and this data set a table: dataset@dataset.test=folder"):
        Csv(str(table), test=photos).load()
    with pytest.raises(ConfigError, match=r"is not read from one.*dataset@dataset.test=folder"):
        Digits(test=photos).load()
    with pytest.raises(DatasetError, match=r"dataset\.test is for training and testing"):
        load_searched(Folder(photos, test=sketches))


def test_what_cannot_be_tested_on(sources, tmp_path):
    """One sentence each."""
    photos, sketches = sources
    with pytest.raises(ConfigError, match=r"dataset\.folds draws folds of one set"):
        Folder(photos, test=sketches, folds=3)
    with pytest.raises(DatasetError, match=r"no class in common \(is cats the class cat\?\)"):
        Folder(photos, test=folders(tmp_path / "plural", ["cats", "dogs"])).load()
    with pytest.raises(DatasetError, match="labels of the kind class, and ages"):
        joined(Folder(photos).unsplit(), ImageSet("ages", ("age",), [Sample("a", PIXEL, 3.0)], ()))
    with pytest.raises(DatasetError, match="is not a folder"):
        Folder(photos, test=str(tmp_path / "nowhere")).load()


def test_labels_that_one_source_lacks():
    """Labels that are not annotated there do not count."""
    first = ImageSet("a", ("x", "y", "z"), [Sample("1", PIXEL, (1, -1, 1))], (), "mAP_sklearn")
    second = ImageSet("b", ("z", "x", "w"), [Sample("1", PIXEL, (-1, 1, 1))], (), "mAP_sklearn")
    images = joined(first, second)

    assert images.targets.tolist() == [[1, -1, 1], [1, 0, -1]]
    assert any("1 label(s) of b are not in a: w." in note for note in images.notes)


def test_groups_of_both():
    """One name is one group, on both sides; images of a set without groups are alone."""
    samples = [Sample(str(row), PIXEL, row % 2) for row in range(4)]
    first = ImageSet("a", ("x", "y"), samples, (), groups=Groups.of(["p", "p", "q", "q"], "patient"))
    second = ImageSet("b", ("x", "y"), samples, (Fold(np.arange(2), np.arange(2, 4)),))

    assert joined(first, second).groups.count == 4
    both = joined(first, ImageSet("b", ("x", "y"), samples, (), groups=Groups.of(["q", "r", "r", "r"], "patient")))
    assert both.groups.count == 3
