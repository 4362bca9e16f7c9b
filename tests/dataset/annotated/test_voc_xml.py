"""VOC's XML against boxes computed by hand, and files that contradict themselves."""

import numpy as np
import pytest
from PIL import Image

from offshelf.dataset import VocXml
from offshelf.dataset.annotated.voc_xml import parsed_xml
from offshelf.errors import DatasetError

OBJECT = (
    "<object><name>{}</name><difficult>{}</difficult><bndbox><xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax>"
    "<ymax>{}</ymax></bndbox></object>"
)


def write(file, *objects, size=(40, 30), name=""):
    """An XML file of objects (name, difficult, four corners)."""
    file.parent.mkdir(parents=True, exist_ok=True)
    text = f"<size><width>{size[0]}</width><height>{size[1]}</height><depth>3</depth></size>"
    said = f"<filename>{name}</filename>" if name else ""
    file.write_text(f"<annotation>{said}{text}{''.join(OBJECT.format(*one) for one in objects)}</annotation>")


@pytest.fixture
def root(tmp_path):
    """VOC's tree: six images of 40 x 30 pixels, each with a cat and a dog, and one difficult cat."""
    for number in range(6):
        pixels = np.random.default_rng(number).integers(0, 256, (30, 40, 3), dtype=np.uint8)
        (tmp_path / "JPEGImages").mkdir(exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / "JPEGImages" / f"{number}.png")
        objects = [("cat", 0, 1, 1, 10, 10), ("dog", int(number == 2), 11, 5, 40, 30)]
        write(tmp_path / "Annotations" / f"{number}.xml", *objects)
    return tmp_path


def test_boxes_start_at_1(root):
    """The last pixel is included; difficult objects are left out, and named."""
    images = VocXml(root=str(root)).load()

    assert images.samples[0].image.region == (0, 0, 10, 10)
    assert images.samples[0].image.load().shape == (10, 10, 3)
    assert images.samples[1].image.region == (10, 4, 40, 30)
    assert [one.id for one in images.not_taken] == ["JPEGImages/2.png#2"]
    assert len(VocXml(root=str(root), difficult=True).load().samples) == 12
    write(root / "Annotations" / "0.xml", ("cat", 0, 0, 0, 10, 10))
    again = VocXml(root=str(root)).load()
    assert again.samples[0].image.region == (0, 0, 10, 10)
    assert again.samples[1].image.region == (1, 1, 10, 10)
    assert any("counted from 0" in note for note in again.notes)


def test_lists_are_the_split(root):
    """train, val and test as VOC has them; images of no list are not read."""
    lists = root / "ImageSets" / "Main"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("0\r\n1  1\r\n")
    (lists / "val.txt").write_text("2\n3\n")
    (lists / "cat_train.txt").write_text("0  1\n")
    (fold,) = VocXml(root=str(root), difficult=True).load().folds
    assert (len(fold.train), len(fold.test)) == (4, 4)
    (lists / "test.txt").write_text("4\n5\n9\n")
    images = VocXml(root=str(root), difficult=True).load()
    assert (len(images.folds[0].train), len(images.folds[0].test)) == (8, 4)
    assert any("1 image(s) of the lists have no XML file: 9." in note for note in images.notes)
    assert len(VocXml(root=str(root), difficult=True, val="ignore").load().folds[0].train) == 4


def test_files_beside_images(tmp_path):
    """LabelImg's way; the name in the file counts, with Windows' folders before it."""
    for number in range(4):
        Image.new("RGB", (40, 30), (number, 0, 0)).save(tmp_path / f"photo {number}.JPG")
        name = f"C:\\me\\photo {number}.JPG" if number else ""
        objects = [("a", 0, 1, 1, 9, 9), ("b", 0, 5, 5, 20, 20)]
        write(tmp_path / f"photo {number}.xml", *objects, size=(0, 0), name=name)
    images = VocXml(root=str(tmp_path)).load()

    assert {one.image.path.name for one in images.samples} == {f"photo {number}.JPG" for number in range(4)}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("<annotation><object>", "not XML, or is cut off"),
        ("", "not XML, or is cut off"),
        ("<!DOCTYPE a [<!ENTITY x 'y'>]><annotation>&x;</annotation>", "declares a document type"),
        ("<!DOCTYPE a SYSTEM 'file:///etc/passwd'><annotation/>", "declares a document type"),
        ("<annotation><object></object></annotation>", "object 1 has no name"),
        ("<annotation><object><name>a</name><bndbox><xmin>x</xmin></bndbox></object></annotation>", "not four numbers"),
    ],
)
def test_wrong_files(root, text, sentence):
    """One sentence each; nothing is fetched, no entity expanded."""
    (root / "Annotations" / "3.xml").write_text(text)
    with pytest.raises(DatasetError, match=sentence):
        VocXml(root=str(root)).load()


def test_many_entities(tmp_path):
    """A billion laughs, in UTF-16 too."""
    text = "<!DOCTYPE l [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;'>]><l>&b;</l>"
    for encoding in ("utf-8", "utf-16"):
        with pytest.raises(DatasetError, match="declares a document type"):
            parsed_xml(text.encode(encoding), tmp_path / "x.xml")


def test_resized_images_and_empty_folders(root, tmp_path):
    """Boxes of another size do not fit."""
    write(root / "Annotations" / "1.xml", ("cat", 0, 1, 1, 10, 10), size=(80, 60))
    with pytest.raises(DatasetError, match="40 x 30 pixels, and 80 x 60 are stated"):
        VocXml(root=str(root)).load()
    (tmp_path / "none").mkdir()
    with pytest.raises(DatasetError, match="has no XML files"):
        VocXml(root=str(tmp_path / "none")).load()
