"""Data sets of the user's own, and the bundled digits."""

import csv
from collections import Counter

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from offshelf.dataset import Csv, Digits, Folder
from offshelf.dataset.partition import partition
from offshelf.errors import DatasetError


def picture(path, seed=0):
    """A small image file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def folder(root, classes=("cat", "dog"), count=8):
    """A folder of class folders."""
    for number, name in enumerate(classes):
        for index in range(count):
            picture(root / name / f"{index}.png", 100 * number + index)
    return root


def test_digits():
    """All 1,797, half of each class tested, grey values to the full range."""
    images = Digits().load()
    (fold,) = images.folds

    assert len(images.samples) == 1797
    assert (images.targets == load_digits().target).all()
    assert len(fold.test) == 899
    assert not set(fold.train) & set(fold.test)
    assert max(image.image.load().max() for image in images.samples[:50]) == 255
    assert images.digest == Digits().load().digest != Digits(seed=1).load().digest


def test_folder_without_split(tmp_path):
    """Sorted classes, readable ids, a quarter of each class held out, the same every time."""
    images = Folder(str(folder(tmp_path / "pets"))).load()
    (fold,) = images.folds

    assert images.name == "pets"
    assert images.classes == ("cat", "dog")
    assert images.samples[0].id == "cat/0.png"
    assert Counter(images.targets[fold.test].tolist()) == {0: 2, 1: 2}
    assert (Folder(str(tmp_path / "pets")).load().folds[0].test == fold.test).all()
    assert images.samples[9].target == 1


def test_folder_with_split(tmp_path):
    """train and val are trained on, test is tested on; classes are those of train."""
    for split in ("train", "val", "test"):
        folder(tmp_path / split, count=3)
    images = Folder(str(tmp_path)).load()
    (fold,) = images.folds

    assert (len(fold.train), len(fold.test)) == (12, 6)
    assert all(images.samples[row].id.startswith("test/") for row in fold.test)


def test_folder_folds(tmp_path):
    """Each image is tested once."""
    images = Folder(str(folder(tmp_path)), folds=4).load()

    assert sorted(np.concatenate([fold.test for fold in images.folds])) == list(range(16))


def test_folder_ignores_what_is_no_image(tmp_path):
    """Each with the reason; a folder that is passed over counts once."""
    folder(tmp_path / "x")
    for name in ("cat/.DS_Store", "cat/._0.png", "cat/Thumbs.db", "dog/notes.txt", ".git/0.png", "__MACOSX/0.png"):
        (tmp_path / "x" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "x" / name).write_text("no image")
    images = Folder(str(tmp_path / "x")).load()

    assert len(images.samples) == 16
    assert [one.id for one in images.not_taken if one.why == "not an image by its name"] == ["dog/notes.txt"]
    assert {one.id for one in images.not_taken if one.why == "hidden, or a file of the system"} == {
        *(".git", "__MACOSX", "cat/.DS_Store", "cat/._0.png", "cat/Thumbs.db")
    }


def test_folder_names_of_any_kind(tmp_path):
    """Spaces, umlauts, capitals, deeper folders."""
    root = folder(tmp_path / "meine Fotos", ("Bär im Schnee", "Übung"), 3)
    picture(root / "Übung/tief/unten/x.JPG", 7)
    images = Folder(str(root)).load()

    assert images.classes == ("Bär im Schnee", "Übung")
    assert "Übung/tief/unten/x.JPG" in {sample.id for sample in images.samples}


def broken_folders(root):
    """Folders that cannot be used, with what should be said."""
    folder(root / "one", ("cat",))
    picture(root / "loose/0.png")
    folder(root / "empty")
    (root / "empty/bird").mkdir()
    folder(root / "few", count=1)
    folder(root / "split/train")
    folder(root / "split/test", ("cat", "bird"))
    return {
        "missing": "is not a folder",
        "one": "has 1 class folder",
        "loose": "are not in class folders",
        "empty": "bird holds no images",
        "few": r"too few: cat \(1\), dog \(1\)",
        "split": "classes that train/ lacks: bird",
    }


@pytest.mark.parametrize("name", ["missing", "one", "loose", "empty", "few", "split"])
def test_folder_mistakes(tmp_path, name):
    """A sentence each."""
    with pytest.raises(DatasetError, match=broken_folders(tmp_path)[name]):
        Folder(str(tmp_path / name)).load()


def test_folder_split_and_folds_do_not_go_together(tmp_path):
    """Nothing is silently ignored."""
    for split in ("train", "test"):
        folder(tmp_path / split)
    with pytest.raises(DatasetError, match="folds=3 cannot be combined"):
        Folder(str(tmp_path), folds=3).load()


def manifest(path, rows, columns="path,label"):
    """A CSV file."""
    path.write_text("\n".join([columns, *rows]) + "\n", encoding="utf-8-sig")
    return Csv(str(path))


def test_csv(tmp_path):
    """Split, boxes, quotes, a byte order mark, an image listed twice."""
    for name in ("a, b.png", "c.png", "d.png"):
        picture(tmp_path / name)
    rows = [
        '"a, b.png",cat,train,,,,',
        "c.png,dog,val,0,0,4,4",
        "c.png,cat,test,4,4,8,8",
        "d.png,dog,test,nan,nan,nan,nan",
    ]
    images = manifest(tmp_path / "set.csv", rows, "path,label,split,x1,y1,x2,y2").load()
    (fold,) = images.folds

    assert images.classes == ("cat", "dog")
    assert [sample.id for sample in images.samples] == ["a, b.png", "c.png", "c.png#4", "d.png"]
    assert (fold.train.tolist(), fold.test.tolist()) == ([0, 1], [2, 3])
    assert images.samples[1].image.load().shape == (4, 4, 3)
    assert images.samples[3].image.load().shape == (8, 8, 3)


def test_csv_without_split(tmp_path):
    """Held out by class."""
    rows = [f"{number}.png,{'ab'[number % 2]}" for number in range(16)]
    (fold,) = manifest(tmp_path / "set.csv", rows).load().folds

    assert (len(fold.train), len(fold.test)) == (12, 4)


@pytest.mark.parametrize(
    ("columns", "rows", "message"),
    [
        ("path,lable", ["a,b"], r"no column 'label' \(rename 'lable'\?\)"),
        ("path,label", ["a,b", "c,"], "line 3: no label"),
        ("path,label,x1", ["a,b,3"], "needs all four"),
        ("path,label,x1,y1,x2,y2", ["a,b,1,2,3,x", "c,d,,,,"], "line 2: the box 1,2,3,x"),
        ("path,label,split", ["a,b,train", "c,d,tset"], "line 3: split must be train, val or test; got 'tset'"),
        ("path,label,split", ["a,b,train", "c,d,test"], "label d is tested but not trained on"),
        ("path,label", [], "lists no images"),
        ("path,label", ["a,b"], "two or more labels"),
    ],
)
def test_csv_mistakes(tmp_path, columns, rows, message):
    """File, line and column."""
    with pytest.raises(DatasetError, match=message):
        manifest(tmp_path / "set.csv", rows, columns).load()


def test_csv_that_is_not_there(tmp_path):
    """Or is no text."""
    with pytest.raises(DatasetError, match="No such file"):
        Csv(str(tmp_path / "none.csv")).load()
    (tmp_path / "x.csv").write_bytes(b"\xff\xfe\x00\xd8")
    with pytest.raises(DatasetError, match="not CSV in UTF-8"):
        Csv(str(tmp_path / "x.csv")).load()


def test_partition_is_stratified_and_seeded():
    """Shares of classes are kept; another seed is another split."""
    targets = np.repeat([0, 1, 2], [40, 20, 8])
    (fold,) = partition(targets, "abc", 0.25, None, 0)
    (other,) = partition(targets, "abc", 0.25, None, 1)

    assert np.bincount(targets[fold.test]).tolist() == [10, 5, 2]
    assert fold.test.tolist() != other.test.tolist()


def test_csv_writer_and_reader_agree(tmp_path):
    """What Python's csv module writes with odd names comes back."""
    names = ['a "quoted" name.png', "comma, here.png", "it's.png", "ü.png"]
    with (tmp_path / "set.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "label"), *((name, "ab"[i % 2]) for i, name in enumerate(names * 4))])
    images = Csv(str(tmp_path / "set.csv")).load()

    assert [sample.id for sample in images.samples[:4]] == names
