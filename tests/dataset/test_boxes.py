"""Boxes of a table: each is plausible, or named by its line before any work."""

import pytest
from PIL import Image
from trees import picture, table

from offshelf.dataset import Csv
from offshelf.errors import DatasetError

BOXED = "path,label,x1,y1,x2,y2"


def shapes(images):
    """Of the images, as they are seen."""
    return {sample.image.load().shape[:2] for sample in images.samples}


def test_boxes_as_fractions(rows):
    """Told by all of them together, of upright images, and said; 1 alone is no pixel."""
    images = table(rows, BOXED, lambda n: ["0.25", "0", "0.75", "1"]).load()
    assert shapes(images) == {(20, 20)}
    assert images.notes == ("Boxes are fractions of the image's width and height.",)
    assert shapes(table(rows, BOXED, lambda n: ["0.25", "0", "0.75", "1"], boxes="fractions").load()) == {(20, 20)}
    assert shapes(table(rows, BOXED, lambda n: ["0", "0", "1", "1"]).load()) == {(20, 40)}
    assert shapes(table(rows, BOXED, lambda n: ["-1e-6", "0", "1.0001", "1"]).load()) == {(20, 40)}
    assert shapes(table(rows, BOXED, lambda n: ["0", "0", "1", "1"], boxes="pixels").load()) == {(1, 1)}

    exif = Image.Exif()
    exif[0x0112] = 6
    for number in range(12):
        Image.open(rows / f"{number}.png").save(rows / f"{number}.png", exif=exif)
    assert shapes(table(rows, BOXED, lambda n: ["0.25", "0", "0.75", "1"]).load()) == {(40, 10)}


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ("10,nan,30,15", "line 7: the box 10,nan,30,15 is not four numbers"),
        ("10,5,inf,15", "line 7: the box 10,5,inf,15 is not four numbers"),
        ("-inf,5,30,15", "is not four numbers"),
        ("10,,30,15", "line 7: the box 10,,30,15 is not four numbers"),
        ("ten,5,30,15", "is not four numbers"),
        ("30,5,10,15", "line 7: the box 30,5,10,15 has no area: it is x1,y1,x2,y2, two corners"),
        ("10,5,10,15", "has no area"),
        ("40,0,60,20", "line 7: the box 40,0,60,20 has no pixel of its image, 40 x 20"),
        ("10,5,10.2,15", "has no pixel"),
        ("-9,0,-1,20", "has no pixel"),
        ("0.1,0.2,0.5,0.9", "within 0 and 1 among boxes in pixels.*dataset.boxes=pixels"),
    ],
)
def test_boxes_that_cannot_be_meant(rows, box, message):
    """One line among others, before any work."""
    made = table(rows, BOXED, lambda n: box.split(",") if n == 5 else ["1", "2", "30", "15"])
    with pytest.raises(DatasetError, match=message):
        made.load()


def test_all_lines_are_named(rows):
    """Not one after the other."""
    made = table(rows, BOXED, lambda n: ["1", "2", "30", "inf" if n % 2 else "15"])
    with pytest.raises(DatasetError, match=r"lines 3, 5, 7 and 3 more: the box 1,2,30,inf .*and so are the others"):
        made.load()


def test_fractions_that_are_none(rows):
    """Where fractions were said."""
    made = table(rows, BOXED, lambda n: ["0.1", "0.1", "1.5" if n == 3 else "0.9", "0.9"], boxes="fractions")
    with pytest.raises(DatasetError, match=r"line 5: the box 0.1,0.1,1.5,0.9 is not within 0 and 1"):
        made.load()


def test_boxes_that_reach_beyond(rows):
    """Are cut, and counted; lines without a box are counted too, and seen whole."""
    images = table(
        rows, BOXED, lambda n: ["", "", "", ""] if n == 0 else ["-2", "0", "20", "30" if n < 4 else "20"]
    ).load()
    assert shapes(images) == {(20, 40), (20, 20)}
    assert images.notes == (
        "11 of 11 boxes reach beyond their image and are cut to it.",
        "1 line(s) have no box; their whole images are used.",
    )


def test_boxes_of_what_cannot_be_read(rows):
    """Are not compared: that the image is broken is said when all are read."""
    (rows / "3.png").write_text("no image")
    assert len(table(rows, BOXED, lambda n: ["1", "2", "30", "15"]).load().samples) == 12
    assert picture(rows / "3.png").is_file()


def test_boxes_of_other_names(rows):
    """Are not read, and it is said how they would be."""
    images = table(rows, "path,label,XMin,YMin,XMax,YMax", lambda n: ["1", "1", "5", "5"]).load()
    assert images.notes[1].startswith("Whole images are used; for the boxes: dataset.columns.x1=XMin")
    found = Csv(str(rows / "t.csv"), columns={"x1": "XMin", "y1": "YMin", "x2": "XMax", "y2": "YMax"}).load()
    assert shapes(found) == {(4, 4)}
