"""COCO's JSON against boxes computed by hand, and files that contradict themselves."""

import json

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from offshelf.dataset import Coco
from offshelf.errors import ConfigError, DatasetError


@pytest.fixture
def made(tmp_path):
    """Eight images of 40 x 30 pixels, whose pixels count up, with two objects each, ids and categories with gaps."""
    for number in range(8):
        pixels = np.arange(40 * 30 * 3, dtype=np.uint32).reshape(30, 40, 3) % 251
        Image.fromarray((pixels + number % 3).astype(np.uint8)).save(tmp_path / f"{number}.png")
    return {
        "images": [{"id": 10 * n + 3, "file_name": f"{n}.png", "width": 40, "height": 30} for n in range(8)],
        "categories": [{"id": 90, "name": "dog"}, {"id": 3, "name": "cat"}, {"id": 7, "name": "horse"}],
        "annotations": [
            {"id": 100 + 2 * n + k, "image_id": 10 * n + 3, "category_id": (3, 90)[k], "bbox": box, "iscrowd": 0}
            for n in range(8)
            for k, box in enumerate(([5, 4, 10, 8], [20.4, 10, 15, 12.6]))
        ],
    }


@pytest.fixture
def read(tmp_path):
    """A function that writes a file and reads its objects."""

    def load(content, **settings):
        (tmp_path / "instances.json").write_text(content if isinstance(content, str) else json.dumps(content))
        return Coco(path=str(tmp_path / "instances.json"), **settings).load()

    return load


def test_crops(made, read, tmp_path):
    """A crop an annotation; classes by their ids, those without objects named; an image on one side."""
    images = read(made)
    whole = np.asarray(Image.open(tmp_path / "0.png"))

    assert images.classes == ("cat", "dog")
    assert images.samples[0].id == "0.png#100"
    assert (images.samples[0].image.load() == whole[4:12, 5:15]).all()
    assert (images.samples[1].image.load() == whole[10:23, 20:35]).all()
    assert images.targets.tolist() == [0, 1] * 8
    assert any("1 class(es) have no object: horse." in note for note in images.notes)
    (fold,) = images.folds
    files = [{images.samples[row].id.split("#")[0] for row in part} for part in (fold.train, fold.test)]
    assert not files[0] & files[1]
    assert len(fold.test) == 4


def test_objects_are_those_of_pycocotools(made, read, tmp_path):
    """The reader of COCO's authors: the same objects, categories and boxes, without crowds."""
    made["annotations"][3]["iscrowd"] = 1
    images = read(made)
    theirs = COCO(str(tmp_path / "instances.json"))
    found = {}
    for one in theirs.loadAnns(theirs.getAnnIds(iscrowd=False)):
        x, y, width, height = one["bbox"]
        name = f"{theirs.loadImgs(one['image_id'])[0]['file_name']}#{one['id']}"
        found[name] = theirs.loadCats(one["category_id"])[0]["name"], (x, y, x + width, y + height)

    assert {one.id: (images.classes[one.target], one.image.region) for one in images.samples} == found


def test_context_sizes_crowds_and_classes(made, read, tmp_path):
    """Boxes grow; small ones and crowds are left out, and named."""
    made["annotations"][3]["iscrowd"] = 1
    made["annotations"][4]["bbox"] = [0, 0, 3, 20]
    images = read(made, context=2, min_size=5)
    why = {one.id: one.why for one in images.not_taken}

    assert images.samples[0].image.region == (0, 0, 20, 16)
    assert why["1.png#103"] == "marked as a crowd (dataset.crowds)"
    assert "shorter side below 5 pixels" in why["2.png#104"]
    assert len(read(made, crowds=True).samples) == 16
    with pytest.raises(DatasetError, match=r"no class bird.*It has: cat, horse, dog"):
        read(made, classes=["cat", "bird"])
    with pytest.raises(ConfigError, match=r"dataset\.classes is a list"):
        read(made, classes="cat")


def test_odd_boxes_are_left_out_and_named(made, read):
    """No area, outside, none at all; what reaches beyond is cut, and counted."""
    for number, box in enumerate(([5, 5, 0, 4], [50, 5, 4, 4], None, [30, 20, 20, 20], ["a", 1, 2, 3])):
        made["annotations"][number]["bbox"] = box
    images = read(made)

    assert [one.why for one in images.not_taken] == [
        "with a box that has no area",
        "with a box that has no pixel of its image",
        "without a box",
        "without a box",
    ]
    assert any("1 of 12 boxes reach beyond their image" in note for note in images.notes)


def test_fractions_are_told_from_pixels(made, read):
    """All within 0 and 1 are fractions, said; a few among pixels are asked about."""
    pixels = read(made).samples[0].image.region
    for one in made["annotations"]:
        x, y, width, height = one["bbox"]
        one["bbox"] = [x / 40, y / 30, width / 40, height / 30]
    images = read(made)
    assert images.samples[0].image.region == pytest.approx(pixels)
    assert any("fractions of the image's width" in note for note in images.notes)
    made["annotations"][0]["bbox"] = [5, 4, 10, 8]
    with pytest.raises(DatasetError, match=r"15 of 16 objects .* within 0 and 1 among boxes in pixels"):
        read(made)
    with pytest.raises(DatasetError, match=r"1 of 16 objects are not within 0 and 1"):
        read(made, boxes="fractions")


def broken(made, change):
    change(made)
    return made


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda c: c["annotations"][2].update(category_id=4),
            r"1 of 16 .*categories that do not exist: 102 \(category",
        ),
        (lambda c: c["annotations"][2].update(image_id=1), r"images that do not exist: 102 \(image_id 1\)"),
        (lambda c: c["annotations"][2].update(category_id=[3]), "categories that do not exist"),
        (lambda c: c["images"][1].update(id=3), "two images with the id 3"),
        (lambda c: c["categories"][1].update(name="dog"), "several categories of one name: dog"),
        (lambda c: c["categories"][1].pop("name"), "entry 1 of categories has no id, or no name"),
        (lambda c: c.pop("categories"), "has no list of categories"),
        (lambda c: c.update(images=["0.png"]), "entries of images are not all objects"),
        (lambda c: c["images"][0].update(width=80, height=60), "40 x 30 pixels, and 80 x 60 are stated.*resized"),
        (lambda c: c["images"][0].update(width=30, height=40), "turned by its EXIF tag"),
        (lambda c: c.update(annotations=[]), "no object that can be used"),
        (lambda c: [one.update(category_id=3) for one in c["annotations"]], "two or more classes; it has cat"),
        (lambda c: [one.update(file_name="x.png") for one in c["images"]], "are not near it"),
    ],
)
def test_files_that_contradict_themselves(made, read, change, sentence):
    """One sentence each."""
    with pytest.raises(DatasetError, match=sentence):
        read(broken(made, change))


def test_what_is_no_json(made, read):
    """Cut off, deep, a list, nothing."""
    text = json.dumps(made)
    for wrong in (text[:200], "[" * 100_000, "", "\x00"):
        with pytest.raises(DatasetError, match="not JSON, or is cut off"):
            read(wrong)
    with pytest.raises(DatasetError, match="has no list of images and annotations and categories"):
        read("[]")


def test_two_files(made, read, tmp_path):
    """Train on one file and test on the other, each with its images near it."""
    read(made)
    (tmp_path / "instances_val.json").write_text(json.dumps(made))
    images = Coco(path=str(tmp_path / "instances.json"), test=str(tmp_path / "instances_val.json")).load()

    assert (len(images.folds[0].train), len(images.folds[0].test)) == (16, 16)
    assert images.groups.count == 8  # the same images: a leak that is counted
