"""The data sets of Razavian et al. 2014, from miniatures of their official archives on a server."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest
from miniature import write
from miniature_paper import VOC_CLASSES
from server import serve

from offshelf.dataset import Voc2007
from offshelf.errors import ConfigError, DatasetError


@pytest.fixture
def place(tmp_path):
    """A function that serves a set, and returns what its spec needs to be had from there."""
    sites = []

    def offer(name):
        write(name, tmp_path / "site")
        sites.append(serve(tmp_path / "site"))
        return {"root": str(tmp_path / "data"), "mirrors": (sites[-1].__enter__().url,), "verify": False}

    yield offer
    for site in sites:
        site.__exit__(None, None, None)


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
