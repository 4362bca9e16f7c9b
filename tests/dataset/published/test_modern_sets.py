"""Data sets that are scored today, from miniatures of their official archives on a server."""

import itertools
from collections import Counter

import numpy as np
import pytest

from offshelf.dataset import (
    Caltech101,
    Cifar10,
    Dtd,
    EuroSat,
    Flowers102,
    Food101,
    Pets,
    StanfordCars,
    Sun397,
)
from offshelf.errors import ConfigError, DatasetError


def names(images, rows):
    """Ids of rows."""
    return [images.samples[row].id for row in rows]


def test_flowers102(place):
    """train + val are trained on, or train alone; labels from 0, in the lists' order."""
    settings = place("flowers102")
    images = Flowers102(**settings).load()
    (fold,) = images.folds

    assert images.metric == "mean_class_accuracy"
    assert images.classes == ("1", "2", "3")
    assert names(images, fold.train) == [f"image_{number:05d}.jpg" for number in (5, 6, 9, 3, 4, 7)]
    assert images.targets.tolist() == [0, 2, 1, 0, 1, 2, 0, 1, 2, 0]
    assert len(Flowers102(**settings, train="train").load().folds[0].train) == 3
    with pytest.raises(ConfigError, match=r"dataset\.train must be trainval or train"):
        Flowers102(root="x", train="test")


def test_flowers102_damaged_lists(place, tmp_path):
    """Ids without labels, a page in place of a file."""
    settings = place("flowers102")
    Flowers102(**settings).load()
    folder = tmp_path / "data/flowers102"
    (folder / "setid.mat").write_bytes((folder / "imagelabels.mat").read_bytes())
    with pytest.raises(DatasetError, match=r"setid\.mat is not a MATLAB file with the variable 'trnid'"):
        Flowers102(**settings).load()
    (folder / "imagelabels.mat").write_text("<html>404</html>" * 100)
    with pytest.raises(DatasetError, match=r"imagelabels\.mat is not a MATLAB file"):
        Flowers102(**settings).load()


def test_dtd_one_split(place):
    """The third, as its lists have it."""
    images = Dtd(**place("dtd"), partition=3).load()
    (fold,) = images.folds

    assert images.classes == ("banded", "dotted", "woven")
    assert (len(fold.train), len(fold.test)) == (12, 6)
    # Of 18 names by row, row + 3 leaves 2 when divided by 3.
    assert names(images, fold.test) == [f"{name}/{name}_{n:04d}.jpg" for name in images.classes for n in (2, 5)]
    assert images.targets[fold.test].tolist() == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize(("name", "made"), [("dtd", Dtd), ("sun397", Sun397)])
def test_all_official_splits(place, name, made):
    """Ten folds of one set, each image once, each fold equal to the split when it is asked for alone."""
    settings = place(name)
    images = made(**settings, partition="all").load()

    assert len(images.folds) == 10
    assert len({sample.id for sample in images.samples}) == len(images.samples) == 18
    for number, fold in enumerate(images.folds, 1):
        alone = made(**settings, partition=number).load()
        for part in ("train", "test"):
            rows = getattr(alone.folds[0], part)
            assert names(images, getattr(fold, part)) == names(alone, rows)
            assert (images.targets[getattr(fold, part)] == alone.targets[rows]).all()
    for partition in (0, 11, "every"):
        with pytest.raises(ConfigError, match=f"partition must be 1 to 10, or all; got {partition}"):
            made(root="x", partition=partition)


def test_dtd_train_alone(place):
    """Without the validation part."""
    (fold,) = Dtd(**place("dtd"), train="train").load().folds

    assert len(fold.train) == 6


def test_sun397(place, tmp_path):
    """Nested classes; an image that no list has is not used."""
    images = Sun397(**place("sun397")).load()

    assert images.classes == ("abbey", "church/indoor", "church/outdoor")
    assert images.metric == "accuracy"
    assert Counter(images.targets[images.folds[0].train].tolist()) == {0: 4, 1: 4, 2: 4}
    for sample in images.samples:
        assert sample.id.split("/", 1)[1].startswith(images.classes[sample.target])
    (tmp_path / "data/sun397/SUN397/ClassName.txt").write_text("/a/abbey\n")
    with pytest.raises(DatasetError, match="not among the 1 known ones: church/indoor"):
        Sun397(root=str(tmp_path / "data"), verify=False).load()


def test_sun397_lists_beside_the_images(place, tmp_path):
    """Copies have them in other folders."""
    settings = place("sun397")
    first = Sun397(**settings).load()
    folder = tmp_path / "data/sun397"
    (folder / "Partitions.zip").unlink()
    (folder / "Partitions").rename(folder / "SUN397/Partitions")

    assert Sun397(**{**settings, "mirrors": ()}).load().digest == first.digest


def test_caltech101(place):
    """Without replacement, the same every time; the background is no class."""
    settings = {**place("caltech101"), "shots": 3}
    images = Caltech101(**settings).load()
    (fold,) = images.folds

    assert images.classes == ("Faces", "accordion", "yin_yang")
    assert images.metric == "mean_class_accuracy"
    assert Counter(images.targets[fold.train].tolist()) == {0: 3, 1: 3, 2: 3}
    assert Counter(images.targets[fold.test].tolist()) == {0: 5, 1: 2, 2: 1}
    assert sorted([*fold.train, *fold.test]) == list(range(17))
    assert Caltech101(**settings).load().digest == images.digest != Caltech101(**settings, seed=1).load().digest


def test_caltech101_capped_and_repeated(place):
    """At most so many tested; each repeat is drawn anew; images of no fold are left out."""
    images = Caltech101(**place("caltech101"), shots=2, test_per_class=2, draws=4).load()

    assert len(images.folds) == 4
    for fold in images.folds:
        assert np.bincount(images.targets[fold.train]).tolist() == [2, 2, 2]
        assert np.bincount(images.targets[fold.test]).tolist() == [2, 2, 2]
        assert not set(fold.train) & set(fold.test)
    assert any(set(a.train) != set(b.train) for a, b in itertools.pairwise(images.folds))
    assert set(np.concatenate([[*fold.train, *fold.test] for fold in images.folds])) == set(range(len(images.samples)))


def test_caltech101_sizes(place):
    """Nested; what is tested does not depend on the size. Fractions are of the largest number of shots."""
    settings = place("caltech101")
    images = Caltech101(**settings, shots=[1, 3], draws=2).load()
    for small, large in zip(images.sizes[0].folds, images.folds, strict=True):
        assert set(small.train) < set(large.train)
        assert small.test.tolist() == large.test.tolist()
        assert np.bincount(images.targets[small.train]).tolist() == [1, 1, 1]
    shares = Caltech101(**settings, shots=3, fractions=[0.3, 1], draws=2).load()
    assert [len(fold.train) for size in shares.sizes for fold in size.folds] == [3, 3, 9, 9]


def test_caltech101_mistakes(place, tmp_path):
    """Settings that leave nothing to test on, or are no numbers of images; an incomplete copy."""
    settings = place("caltech101")
    with pytest.raises(DatasetError, match=r"Faces has 8 images; dataset\.shots=30 leaves none"):
        Caltech101(**settings).load()
    with pytest.raises(ConfigError, match=r"dataset\.draws must be a whole number, at least 1"):
        Caltech101(**settings, draws=0)
    for file in (tmp_path / "data/caltech101").glob("caltech-101.zip*"):
        file.unlink()
    with pytest.raises(DatasetError, match="has 17 images where 8,677 are official"):
        Caltech101(root=settings["root"]).load()


def test_eurosat(place):
    """The lists' split; a file's class is in its name."""
    settings = place("eurosat")
    images = EuroSat(**settings).load()
    (fold,) = images.folds

    assert images.classes == ("AnnualCrop", "Forest", "SeaLake")
    assert (len(fold.train), len(fold.test)) == (12, 6)
    assert names(images, fold.test)[:3] == ["AnnualCrop_3.jpg", "AnnualCrop_6.jpg", "Forest_3.jpg"]
    assert images.samples[0].image.load().shape == (64, 64, 3)
    assert len(EuroSat(**settings, train="train").load().folds[0].train) == 6


def test_stanford_cars(place):
    """Classes from 0, boxes from 1 and inclusive, where they are asked for."""
    settings = place("stanford_cars")
    images = StanfordCars(**settings).load()
    (fold,) = images.folds

    assert images.classes[1] == "Acura RL Sedan 2012"
    assert images.targets.tolist() == [1, 0, 2, 2, 1, 0, 0, 1, 2]
    assert (len(fold.train), len(fold.test)) == (6, 3)
    assert images.samples[6].id == "cars_test/00001.jpg"
    assert images.samples[0].image.region is None
    assert StanfordCars(**settings, box=True).load().samples[0].image.region == (2, 1, 12, 11)


def test_stanford_cars_test_list_without_classes(place, tmp_path):
    """The devkit's, under the other's name; and a list of other classes."""
    from miniature_modern import matlab

    settings = place("stanford_cars")
    StanfordCars(**settings).load()
    path = tmp_path / "data/stanford_cars/cars_test_annos_withlabels.mat"
    sides = [(f"bbox_{side}", "O") for side in ("x1", "y1", "x2", "y2")]
    rows = np.array([(1, 1, 2, 2, "00001.jpg"), (1, 1, 2, 2, "00002.jpg")], dtype=[*sides, ("fname", "O")])
    path.write_bytes(matlab(annotations=rows[None]))
    with pytest.raises(DatasetError, match="is not the published list"):
        StanfordCars(**settings).load()
    rows = np.array([(1, 1, 2, 2, 197, "00001.jpg")] * 2, dtype=[*sides, ("class", "O"), ("fname", "O")])
    path.write_bytes(matlab(annotations=rows[None]))
    with pytest.raises(DatasetError, match=r"assigns 00001\.jpg to class 197, of 3"):
        StanfordCars(**settings).load()


def test_food101(place):
    """Names from the lists."""
    images = Food101(**place("food101")).load()

    assert images.classes == ("apple_pie", "waffles")
    assert images.targets.tolist() == [0, 1, 1, 0, 1, 0]
    assert images.folds[0].test.tolist() == [4, 5]


def test_pets(place, tmp_path):
    """Labels from the list, not from sorting."""
    settings = place("pets")
    images = Pets(**settings).load()

    assert images.classes == ("Abyssinian", "Beagle", "Maine Coon")
    assert images.metric == "mean_class_accuracy"
    assert images.targets.tolist() == [0, 1, 2, 0, 1, 1, 0, 2]
    path = tmp_path / "data/pets/annotations/test.txt"
    path.write_text("beagle_2 9 2 1\n")
    with pytest.raises(DatasetError, match=r"do not give each breed one number.*see beagle_2"):
        Pets(**settings).load()
    path.write_text("beagle_2 two 2 1\n")
    with pytest.raises(DatasetError, match=r"test\.txt must list: image, breed"):
        Pets(**settings).load()


def test_cifar10(place, tmp_path):
    """Planes become pixels; a batch that was cut short is refused."""
    settings = place("cifar10")
    images = Cifar10(**settings).load()
    path = tmp_path / "data/cifar10/cifar-10-batches-bin/data_batch_2.bin"
    data = path.read_bytes()
    red, green, blue = (data[3073 * 3 + 1 + 1024 * plane + 32 * 5 + 7] for plane in range(3))

    assert images.classes[9] == "truck"
    assert (len(images.folds[0].train), len(images.folds[0].test)) == (50, 10)
    assert images.samples[13].target == 3
    assert images.samples[13].image.load()[5, 7].tolist() == [red, green, blue]
    path.write_bytes(data[:-1])
    with pytest.raises(DatasetError, match=r"data_batch_2\.bin is not a batch"):
        Cifar10(**settings).load()
