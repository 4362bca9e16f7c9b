"""YOLO's text files against boxes computed by hand, and files that contradict themselves."""

import numpy as np
import pytest
import yaml
from PIL import Image

from offshelf.dataset import Yolo
from offshelf.errors import ConfigError, DatasetError


@pytest.fixture
def root(tmp_path):
    """images/{train,val}/N.png of 40 x 20 pixels with labels/{train,val}/N.txt: a box of each of two classes."""
    for part in ("train", "val"):
        for number in range(4):
            for folder in ("images", "labels"):
                (tmp_path / folder / part).mkdir(parents=True, exist_ok=True)
            pixels = np.random.default_rng(number + 10 * len(part)).integers(0, 256, (20, 40, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "images" / part / f"{number}.png")
            (tmp_path / "labels" / part / f"{number}.txt").write_text("0 0.5 0.5 0.25 0.5\n2 0.1 0.2 0.2 0.4\n")
    write(tmp_path)
    return tmp_path


def write(root, **changes):
    content = {"path": ".", "train": "images/train", "val": "images/val", "names": {0: "cat", 2: "dog"}} | changes
    (root / "data.yaml").write_text(yaml.safe_dump({key: one for key, one in content.items() if one is not None}))


def load(root, **settings):
    return Yolo(path=str(root / "data.yaml"), **settings).load()


def test_boxes_and_parts(root):
    """val is tested on, as there is no test; names with gaps keep their numbers."""
    images = load(root)
    (fold,) = images.folds

    assert images.classes == ("cat", "dog")
    assert images.samples[0].id == "images/train/0.png#1"
    assert images.samples[0].image.region == pytest.approx((15, 5, 25, 15))
    assert images.samples[1].image.region == pytest.approx((0, 0, 8, 8))
    assert (len(fold.train), len(fold.test)) == (8, 8)
    write(root, test="images/val")
    assert any("val is used to train" in note for note in load(root).notes)
    write(root, val=None)
    assert len(load(root).folds[0].test) == 2  # drawn: an image of four


def test_lists_of_files_and_polygons(root):
    """A part may be a list of files or folders; a polygon has the box around it."""
    (root / "train.txt").write_text("images/train/0.png\nimages/train/1.png\n")
    (root / "labels" / "train" / "0.txt").write_text("0 0.1 0.2 0.5 0.2 0.3 0.9\n2 0.5 0.5 1 1\n\n")
    write(root, train=["train.txt", "images/train/"], names=["cat", "cow", "dog"], nc=3)
    images = load(root)

    assert images.samples[0].image.region == pytest.approx((4, 4, 20, 18))
    assert any("1 class(es) have no object: cow" in note for note in images.notes)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("1 0.5 0.5 0.1 0.1", r"line 1: the class 1 is not among those of data.yaml: \[0, 2\]"),
        ("0.5 0.5 0.5 0.1 0.1", "the class 0.5 is not among"),
        ("0 12 8 10 4", "not fractions of the image's width and height.*are they pixels"),
        ("0 0.5 0.5 0.1", "it has 4 numbers"),
        ("0 0.5 0.5 0.1 0.1 0.99", "it has 6 numbers"),
        ("cat 0.5 0.5 0.1 0.1", "not all numbers"),
        ("0 nan 0.5 0.1 0.1", "four numbers"),
    ],
)
def test_wrong_lines(root, line, sentence):
    """One sentence, with file and line."""
    (root / "labels" / "train" / "2.txt").write_text(line)
    with pytest.raises(DatasetError, match=sentence):
        load(root)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"names": None}, "has no names of classes"),
        ({"names": "cat"}, "names is neither a list of names nor names by number"),
        ({"names": ["cat", "cat", "dog"]}, "several classes of one name: cat"),
        ({"nc": 80}, "says nc: 80, and names 2 classes"),
        ({"train": None}, "it has no key train"),
        ({"train": "nowhere"}, "names nowhere, which is neither in"),
    ],
)
def test_wrong_yaml(root, changes, sentence):
    """One sentence each."""
    write(root, **changes)
    with pytest.raises(DatasetError, match=sentence):
        load(root)


def test_no_code_is_run(root):
    """Neither YAML's tags, nor what a data.yaml says is to be run for a download."""
    marker = root / "marker"
    (root / "data.yaml").write_text(f"!!python/object/apply:os.system ['touch {marker}']")
    with pytest.raises(DatasetError, match="is not YAML"):
        load(root)
    write(root, download=f"import os; os.system('touch {marker}')")
    load(root)
    assert not marker.exists()
    with pytest.raises(ConfigError, match="YOLO's boxes are fractions"):
        load(root, boxes="pixels")


def test_images_without_objects(root):
    """A missing or an empty text file: the image is a background, and is counted."""
    (root / "labels" / "train" / "0.txt").unlink()
    (root / "labels" / "train" / "1.txt").write_text("")

    assert any("2 of 8 images have no object" in note for note in load(root).notes)
