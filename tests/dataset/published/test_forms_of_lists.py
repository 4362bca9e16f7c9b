"""Published lists in the forms in which they come: ends of lines, kinds of numbers, uneven classes, boxes at borders.

Names are invented; the forms are those of the official files.
"""

import pickle

import numpy as np
import pytest
import scipy.io
from miniature import picture, text
from miniature_retrieval import OXFORD, revisited_gnd
from PIL import Image

from offshelf.dataset import (
    Cub200,
    Dtd,
    EuroSat,
    Flowers102,
    Food101,
    H3d,
    Mit67,
    Oxford5k,
    Paris6k,
    Pets,
    ROxford5k,
    StanfordCars,
    Sun397,
    UiucAttributes,
    Voc2007,
)
from offshelf.errors import DatasetError
from offshelf.metric import RETRIEVAL_METRICS, Ranks, positions

BOX_SIZES = {(4.0, 2.0, 16.0, 14.0): (16, 14), (0.0, 0.0, 20.0, 16.0): (20, 16), (5.0, 3.0, 16.0, 14.0): (15, 13)}
"""CUB's boxes in an image of 20 x 16 pixels: to its border, all of it, a pixel beyond; and the size of the crop."""


def by_hand(root, files):
    """Place a tree of files, bytes or text. Returns what its spec needs."""
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
    return {"root": str(root), "download": False, "verify": False}


def as_windows(path):
    """End lines by carriage return and line feed, and the last one not at all."""
    path.write_bytes(path.read_bytes().strip().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))


@pytest.mark.parametrize(
    "spec", [Voc2007, Mit67, Cub200, H3d, UiucAttributes, Sun397, EuroSat, Dtd, Food101, Pets, Oxford5k, Paris6k]
)
def test_ends_of_lines(place, tmp_path, spec):
    """Of Windows, with the last one missing: the same set."""
    settings = place(spec(root="x").about.name)
    images = spec(**settings).load()
    lists = list((tmp_path / "data").rglob("*.txt"))
    assert lists
    for path in lists:
        as_windows(path)

    assert spec(**settings).load().digest == images.digest


def test_mit67_classes_of_different_sizes(tmp_path):
    """77, 80 and 83 images to train on, 23, 20 and 17 to test on, in no order; names with spaces and two endings."""
    counts = {"airport_inside": (77, 23), "boat house": (80, 20), "cellar": (83, 17)}
    parts = {"Train": [], "Test": []}
    for name, several in counts.items():
        for part, count in zip(parts, several, strict=True):
            parts[part] += [f"{name}/{part.lower()} {number}'s.jpg.jpg" for number in range(count)]
    for part in parts.values():
        np.random.default_rng(0).shuffle(part)
    files = {f"{part}Images.txt": "\n".join(rows) for part, rows in parts.items()}
    images = Mit67(**by_hand(tmp_path, files | {"Images/airport_inside/x.jpg": b""})).load()
    (fold,) = images.folds

    assert images.classes == tuple(counts)
    assert images.metric == "mean_class_accuracy"
    assert np.bincount(images.targets[fold.train]).tolist() == [77, 80, 83]
    assert np.bincount(images.targets[fold.test]).tolist() == [23, 20, 17]
    assert [images.samples[row].id for row in fold.train] == parts["Train"]


@pytest.fixture
def cub(tmp_path):
    """Three species of two, one and no images; images.txt and the boxes are cut to those, the other lists are not."""
    names = ["001.Attic_Bird", "002.Boat_Bird", "003.Cellar_Bird"]
    paths = {1: f"{names[0]}/a_1.jpg", 2: f"{names[0]}/a_2.jpg", 4: f"{names[1]}/b_4.jpg"}
    boxes = ["4.0 2.0 16.0 14.0", "0.0 0.0 20.0 16.0", "5.0 3.0 16.0 14.0"]
    lists = {
        "images": [f"{number} {path}" for number, path in paths.items()],
        "bounding_boxes": [f"{number} {box}" for number, box in zip(paths, boxes, strict=True)],
        "image_class_labels": ["1 1", "2 1", "3 1", "4 2", "5 3"],
        "train_test_split": ["1 0", "2 1", "3 1", "4 1", "5 0"],
        "classes": [f"{number} {name}" for number, name in enumerate(names, 1)],
    }
    files = {f"CUB_200_2011/{name}.txt": text(rows) for name, rows in lists.items()}
    pictures = {f"CUB_200_2011/images/{path}": picture(number) for number, path in paths.items()}
    return by_hand(tmp_path, files | pictures)


def test_cub200_boxes_at_the_border(cub):
    """A box may end at the border or a pixel beyond it; the crop ends at the border."""
    for sample, (box, size) in zip(Cub200(**cub, context=1).load().samples, BOX_SIZES.items(), strict=True):
        x, y, width, height = box
        assert sample.image.region == (x, y, x + width, y + height)
        assert sample.image.load().shape[1::-1] == size


def test_cub200_that_was_cut(cub):
    """Lists may name images that images.txt does not; a species without images is no class; the numbers are checked."""
    images = Cub200(**cub).load()

    assert images.classes == ("001.Attic_Bird", "002.Boat_Bird")
    assert images.targets.tolist() == [0, 0, 1]
    assert images.folds[0].train.tolist() == [1, 2]
    assert images.notes == ("1 of 3 classes have no images and are left out.",)
    with pytest.raises(DatasetError, match=r"1 samples .* 5,994 \+ 5,794 are official.*dataset\.verify=false"):
        Cub200(**cub | {"verify": True}).load()


def test_cub200_without_the_first_class(cub, tmp_path):
    """Numbers of classes move up."""
    path = tmp_path / "CUB_200_2011/images.txt"
    path.write_text("4 002.Boat_Bird/b_4.jpg\n5 003.Cellar_Bird/c_5.jpg\n")
    with (tmp_path / "CUB_200_2011/bounding_boxes.txt").open("a") as file:
        file.write("5 1.0 1.0 4.0 4.0\n")
    images = Cub200(**cub).load()

    assert images.classes == ("002.Boat_Bird", "003.Cellar_Bird")
    assert images.targets.tolist() == [0, 1]


def test_food101_that_was_cut(place, tmp_path):
    """The list of classes may be whole; those without images are left out, and the others move up."""
    settings = place("food101")
    images = Food101(**settings).load()
    path = tmp_path / "data/food101/food-101/meta/classes.txt"
    path.write_text("beignets\n" + path.read_text() + "zander\n")
    cut = Food101(**settings).load()

    assert cut.classes == images.classes == ("apple_pie", "waffles")
    assert cut.targets.tolist() == images.targets.tolist()
    assert cut.notes == ("2 of 4 classes have no images and are left out.",)


def test_pets_that_were_cut(place, tmp_path):
    """Numbers of breeds may have gaps and are the order of the classes; each breed has one number."""
    settings = place("pets")
    Pets(**settings).load()
    lists = tmp_path / "data/pets/annotations"
    (lists / "trainval.txt").write_text("Zebu_Cat_1 1 1 1\nbeagle_1 6 2 1\nAbyssinian_5 30 1 1\n")
    (lists / "test.txt").write_text("beagle_2 6 2 1\nAbyssinian_2 30 1 1\n")
    images = Pets(**settings).load()

    assert images.classes == ("Zebu Cat", "Beagle", "Abyssinian")
    assert images.targets.tolist() == [0, 1, 2, 1, 2]
    for rows in ("beagle_1 6 2 1\nAbyssinian_5 6 1 1\n", "beagle_1 6 2 1\nbeagle_4 7 2 1\nAbyssinian_5 30 1 1\n"):
        (lists / "trainval.txt").write_text(rows)
        with pytest.raises(DatasetError, match="do not give each breed one number"):
            Pets(**settings).load()


def test_flowers102_numbers_of_two_bytes(tmp_path):
    """Labels of one byte, ids of two, beyond what one byte holds."""
    labels = np.tile(np.arange(1, 4, dtype=np.uint8), 100)[None]
    scipy.io.savemat(tmp_path / "imagelabels.mat", {"labels": labels})
    parts = {"trnid": [[299, 2, 300]], "valid": [[256, 255]], "tstid": [[1, 257]]}
    scipy.io.savemat(tmp_path / "setid.mat", {name: np.array(ids, np.uint16) for name, ids in parts.items()})
    (tmp_path / "jpg").mkdir()
    (tmp_path / "jpg/image_00001.jpg").write_bytes(picture(1))
    images = Flowers102(root=str(tmp_path), download=False, verify=False).load()

    assert [int(sample.id[6:11]) for sample in images.samples] == [299, 2, 300, 256, 255, 1, 257]
    assert images.targets.tolist() == [(number - 1) % 3 for number in (299, 2, 300, 256, 255, 1, 257)]


def test_stanford_cars_numbers_of_one_byte(tmp_path):
    """Each number of a box has the smallest type that holds it; boxes grow beyond that."""
    kind = [*((f"bbox_{side}", "O") for side in ("x1", "y1", "x2", "y2")), ("class", "O"), ("fname", "O")]
    row = (np.uint8(200), np.uint8(1), np.uint16(299), np.uint8(250), np.uint8(2), "00001.jpg")
    annotations = np.array([row, row], dtype=kind)[None]
    names = np.array([["Boat 2012", "Cart 2007"]], object)
    (tmp_path / "devkit").mkdir()
    for part in ("cars_train", "cars_test"):
        (tmp_path / part).mkdir()
    scipy.io.savemat(tmp_path / "devkit/cars_meta.mat", {"class_names": names})
    for path in ("devkit/cars_train_annos.mat", "cars_test_annos_withlabels.mat"):
        scipy.io.savemat(tmp_path / path, {"annotations": annotations})
    spec = StanfordCars(root=str(tmp_path), download=False, verify=False, box=True, context=2)
    images = spec.load()

    # 199, 0 to 299, 250, twice as large about its centre.
    assert images.samples[0].image.region == (149, -125, 349, 375)
    assert images.classes == ("Cart 2007",)  # the only one with images


def test_uiuc_lines_that_end_in_a_space(place, tmp_path):
    """As in the official lists."""
    settings = place("uiuc_attributes")
    images = UiucAttributes(**settings).load()
    for path in (tmp_path / "data/uiuc_attributes/attribute_data").glob("a*_t*.txt"):
        path.write_text(path.read_text().replace("\n", " \n"))

    assert UiucAttributes(**settings).load().digest == images.digest


def test_oxford5k_names_listed_twice(place, tmp_path):
    """Count once: a perfect ranking has an average precision of 1."""
    settings = place("oxford5k")
    images = Oxford5k(**settings).load()
    path = tmp_path / "data/oxford5k/all_souls_1_good.txt"
    path.write_text(path.read_text() + path.read_text().splitlines()[0])
    again = Oxford5k(**settings).load()
    truth = again.truths[""][0]

    assert again.digest == images.digest
    scores = np.isin(np.arange(len(again.references)), truth.relevant).astype(float)
    assert RETRIEVAL_METRICS["mAP"](Ranks.of([positions(scores, truth)], [truth])).tolist() == [1]


@pytest.mark.parametrize(
    "box",
    [[0, 0, 19, 15], [2, 0, 14, 6], [4, 3, 20, 16], [3.5, 2.5, 12.5, 11.5], [0.4, 0.6, 19.5, 15.5]],
    ids=str,
)
def test_revisited_boxes(place, tmp_path, box):
    """Whole numbers or not, up to the border: the query is Pillow's crop of the same box, as in the protocol."""
    settings = place("roxford5k")
    ROxford5k(**settings).load()
    folder = tmp_path / "data/oxford5k"
    gnd = revisited_gnd(OXFORD)
    gnd["gnd"][0]["bbx"] = box
    (folder / "gnd_roxford5k.pkl").write_bytes(pickle.dumps(gnd, 2))
    query = ROxford5k(**settings).load().queries[0].image

    with Image.open(query.path) as whole:
        expected = np.asarray(whole.convert("RGB").crop(tuple(box)))
    np.testing.assert_array_equal(query.load(), expected)
