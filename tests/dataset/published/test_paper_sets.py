"""The data sets of Razavian et al. 2014, from miniatures of their official archives on a server."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest
from miniature_paper import VOC_CLASSES

from offshelf.dataset import Cub200, H3d, Mit67, UiucAttributes, Voc2007
from offshelf.errors import ConfigError, DatasetError


def test_voc2007(place, tmp_path):
    """Labels of the lists are those that follow from the annotations' objects; the order is that of the lists."""
    images = Voc2007(**place("voc2007")).load()
    (fold,) = images.folds

    assert images.classes == tuple(VOC_CLASSES)
    assert images.metric == "mAP_11pt"
    assert images.is_multilabel
    assert [len(fold.train), len(fold.test)] == [6, 4]
    assert [sample.id for sample in images.samples[:3]] == ["000001", "000002", "000003"]
    annotations = tmp_path / "data/voc2007/VOCdevkit/VOC2007/Annotations"
    for sample in images.samples:
        objects = ET.parse(annotations / f"{sample.id}.xml").getroot().findall("object")
        for name, label in zip(images.classes, sample.target, strict=True):
            hard = [found.findtext("difficult") for found in objects if found.findtext("name") == name]
            assert label == (1 if "0" in hard else 0 if hard else -1)
        assert sample.image.load().shape == (16, 20, 3)


def test_voc2007_difficult_as_negative(place):
    """In training alone."""
    settings = place("voc2007")
    ignored, negative = (Voc2007(**settings, difficult=how).load() for how in ("ignore", "negative"))
    train, test = ignored.folds[0].train, ignored.folds[0].test

    assert (ignored.targets[train] == 0).sum() == 2
    assert (negative.targets[train] == np.where(ignored.targets[train] == 1, 1, -1)).all()
    assert (negative.targets[test] == ignored.targets[test]).all()
    assert (ignored.targets[test] == 0).sum() == 1
    with pytest.raises(ConfigError, match=r"dataset\.difficult"):
        Voc2007(root="x", difficult="drop")


def test_voc2007_contradictory_lists(place, tmp_path):
    """A list that was edited, or comes from another year."""
    settings = place("voc2007")
    Voc2007(**settings).load()
    path = tmp_path / "data/voc2007/VOCdevkit/VOC2007/ImageSets/Main/cat_test.txt"
    path.write_text("000004 1\n")
    with pytest.raises(DatasetError, match=r"cat_test\.txt lists other images"):
        Voc2007(**settings).load()
    path.write_text("000004 2\n")
    with pytest.raises(DatasetError, match="labels other than"):
        Voc2007(**settings).load()
    path.write_text("000004\n")
    with pytest.raises(DatasetError, match="entry 1: 2 fields are expected; got '000004'"):
        Voc2007(**settings).load()


def test_mit67(place):
    """The lists' images alone, each opened by its content."""
    images = Mit67(**place("mit67")).load()
    (fold,) = images.folds

    assert images.classes == ("airport_inside", "buffet", "winecellar")
    assert images.metric == "mean_class_accuracy"
    assert images.targets.tolist() == [0, 0, 1, 1, 2, 2, 0, 1, 2]
    assert (fold.train.tolist(), fold.test.tolist()) == ([0, 1, 2, 3, 4, 5], [6, 7, 8])
    assert images.samples[1].id == "airport_inside/a'2.jpg"
    assert {sample.image.load().shape for sample in images.samples} == {(16, 20, 3)}


def test_mit67_sizes_are_a_remark(place, caplog):
    """Public copies of the lists differ."""
    Mit67(**{**place("mit67"), "verify": True}).load()

    assert "6 + 3 images where 5360 + 1340 are official" in caplog.text


def test_mit67_lists_that_are_none(place, tmp_path):
    """A page in place of a list; a class that is tested alone; a folder that is called images."""
    settings = place("mit67")
    Mit67(**settings).load()
    folder = tmp_path / "data/mit67"
    (folder / "Images").rename(folder / "images")
    (folder / "indoorCVPR_09.tar").unlink()
    assert len(Mit67(**settings).load().samples) == 9

    (folder / "TestImages.txt").write_text("attic/a.jpg\n")
    with pytest.raises(DatasetError, match="class that is not among the 3 known ones: attic"):
        Mit67(**settings).load()
    (folder / "TestImages.txt").write_text("404: not found\n")
    with pytest.raises(DatasetError, match=r"TestImages\.txt must list class/file; got '404"):
        Mit67(**settings).load()


def test_cub200(place):
    """Joined by id, though the lists have different orders; boxes grow about their centres and are cut to the image."""
    settings = place("cub200")
    images = Cub200(**settings).load()
    (fold,) = images.folds

    assert images.metric == "accuracy"
    assert images.classes[2] == "200.Common_Yellowthroat"
    assert images.targets.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert (fold.train.tolist(), fold.test.tolist()) == ([0, 1, 3, 4, 6, 7], [2, 5, 8])
    assert images.samples[0].id == "001.Black_footed_Albatross/Bird_0001.jpg"
    # 4, 2, width 10, height 8: centre 9, 6; times 1.5: 15 x 12 from 1.5, 0.
    assert images.samples[0].image.region == (1.5, 0.0, 16.5, 12.0)
    assert images.samples[1].image.load().shape[1] == 10  # 9.5 to 20, the image's edge, by rounding half to even
    assert images.samples[3].image.load().shape[2] == 3

    assert Cub200(**settings, context=1).load().samples[0].image.region == (4, 2, 14, 10)
    assert Cub200(**settings, context=2.5).load().samples[0].image.region == (-3.5, -4.0, 21.5, 16.0)
    assert Cub200(**settings, box=False).load().samples[0].image.region is None
    with pytest.raises(ConfigError, match=r"at least 1 by which boxes grow; got 0\.5"):
        Cub200(**settings, context=0.5)


def test_cub200_contradictory_lists(place, tmp_path):
    """One that lists other images; a class that is not named; a box that is none."""
    settings = place("cub200")
    Cub200(**settings).load()
    tree = tmp_path / "data/cub200/CUB_200_2011"
    for name, content, message in (
        ("bounding_boxes.txt", "1 2 3 4 five\n", "'2 3 4 five' are not all numbers"),
        ("bounding_boxes.txt", "1 2 3 4 5\n", "contradict each other: '2' is in one of them only"),
        ("classes.txt", "1 one\n", "contradict each other: '2'"),
        ("train_test_split.txt", "1 1\n", r"lists other images than .*images\.txt"),
    ):
        before = (tree / name).read_text()
        (tree / name).write_text(content)
        with pytest.raises(DatasetError, match=message):
            Cub200(**settings).load()
        (tree / name).write_text(before)


def test_h3d(place, caplog):
    """Ternary labels; names start anew in test; an image without a box is seen whole, and that is said."""
    settings = place("h3d")
    with caplog.at_level("INFO"):
        images = H3d(**settings).load()
    (fold,) = images.folds

    assert images.metric == "mAP_area"
    assert images.classes[4] == "has_t-shirt"
    assert (len(fold.train), len(fold.test)) == (6, 3)
    assert images.samples[0].id == "train/00001.jpg"
    assert images.samples[6].id == "test/00001.jpg"
    assert images.samples[0].target == (-1, 0, -1, 1, -1, 1, 1, -1, -1)
    assert images.samples[1].image.region is None
    assert "1 of train's images have no box and are used whole" in caplog.text
    # 2, 2, 9 x 9: centre 6.5; times 1.5: 13.5 long.
    assert images.samples[3].image.region == (-0.25, -0.25, 13.25, 13.25)
    assert images.samples[2].image.load().shape == (16, 11, 3)  # a box far beyond the image's height
    assert len(H3d(**settings, no_box="drop").load().folds[0].train) == 5
    with pytest.raises(ConfigError, match=r"dataset\.no_box"):
        H3d(**settings, no_box="patch")


def test_h3d_other_labels(place, tmp_path):
    """Refused by name."""
    settings = place("h3d")
    H3d(**settings).load()
    path = tmp_path / "data/h3d/attributes_dataset/test/labels.txt"
    path.write_text("00001.jpg 1 1 2 2 3 0 0 0 0 0 0 0 0\n")
    with pytest.raises(DatasetError, match="labels other than 1, -1 and 0: 3 0"):
        H3d(**settings).load()


def test_uiuc_attributes(place, caplog):
    """A sample an object, in its box, which counts from 1 and includes its last pixels."""
    settings = place("uiuc_attributes")
    images = UiucAttributes(**settings).load()
    (fold,) = images.folds

    assert images.metric == "mean_auc"
    assert len(images.classes) == 64
    assert (len(fold.train), len(fold.test)) == (4, 2)
    assert [sample.id for sample in images.samples[:2]] == [
        "apascal_train/2008_000008.jpg#1",
        "apascal_train/2008_000008.jpg#2",
    ]
    assert images.samples[0].image.region == (1, 1, 9, 9)
    assert set(images.samples[0].target) == {1}
    assert set(images.samples[1].target) == {-1}
    assert images.samples[2].target[:4] == (1, -1, 1, -1)


@pytest.mark.parametrize(("test", "count"), [("a_pascal", 2), ("a_yahoo", 3), ("both", 5)])
def test_uiuc_tested_objects(place, tmp_path, caplog, test, count):
    """The other categories' images are had only where they are tested; a box without area is the whole image."""
    with caplog.at_level("INFO"):
        images = UiucAttributes(**place("uiuc_attributes"), test=test).load()

    assert len(images.folds[0].test) == count
    assert (tmp_path / "data/uiuc_attributes/ayahoo_test_images").exists() == (test != "a_pascal")
    if test != "a_pascal":
        assert "1 object(s) of ayahoo_test have a box without area" in caplog.text
        assert images.samples[-2].image.region is None
        assert images.samples[-1].id == "ayahoo_test/mug 3.jpg#3"
        assert images.samples[-1].image.load().shape == (1, 1, 3)


def test_uiuc_mistakes(place, tmp_path):
    """A part that does not exist, values that are no attributes, names that are missing."""
    settings = place("uiuc_attributes")
    with pytest.raises(ConfigError, match="a_pascal, a_yahoo or both; got 'yahoo'"):
        UiucAttributes(**settings, test="yahoo")
    UiucAttributes(**settings).load()
    folder = tmp_path / "data/uiuc_attributes/attribute_data"
    (folder / "apascal_test.txt").write_text("2008_000002.jpg tvmonitor 2 2 9 9 1 0\n")
    with pytest.raises(DatasetError, match=r"apascal_test\.txt, entry 1: file, class, box and 64 values"):
        UiucAttributes(**settings).load()
    (folder / "attribute_names.txt").write_text("2D Boxy\n")
    with pytest.raises(DatasetError, match="names 1 attributes; 64"):
        UiucAttributes(**settings).load()
