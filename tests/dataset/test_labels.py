"""Labels that are several: in columns, or in a cell that does not say so."""

import pytest

from offshelf.dataset import Csv, Folder
from offshelf.errors import ConfigError, DatasetError


@pytest.fixture
def table(rows):
    """A function that writes a table of twelve images, line by line, and reads it."""

    def read(header, cells, **settings):
        lines = [f"path,{header}", *(f"{number}.png,{cell}" for number, cell in enumerate(cells))]
        (rows / "t.csv").write_text("\n".join(lines))
        return Csv(str(rows / "t.csv"), **settings).unsplit()

    return read


def test_columns_of_labels(table):
    """1 and 0, true and false, nothing where it is unknown."""
    cells = ["1,0", "0,1", "true,", "no,YES", *["1,1", "0,0"] * 4]
    images = table("old,wet", cells, columns={"label": ["old", "wet"]})

    assert images.classes == ("old", "wet")
    assert images.targets[:5].tolist() == [[1, -1], [-1, 1], [1, 0], [-1, 1], [1, 1]]
    assert images.metric == "mAP_sklearn"


@pytest.mark.parametrize(("zero", "minus"), [("0", 0), ("-1", -1)])
def test_minus_one(zero, minus, table):
    """Uncertain where there is a 0, as in CheXpert; absent where there is none."""
    images = table("old,wet", ["1,-1", f"{zero},1", *["1,1"] * 10], columns={"label": ["old", "wet"]})

    assert images.targets[0].tolist() == [1, minus]
    assert images.targets[1].tolist() == [-1, 1]


def test_wrong_columns_of_labels(table):
    """One sentence each."""
    several = {"columns": {"label": ["old", "wet"]}}
    with pytest.raises(DatasetError, match=r"line 3: columns of labels hold 1 and 0.*got 'maybe'"):
        table("old,wet", ["1,0", "maybe,1", *["1,1"] * 10], **several)
    with pytest.raises(DatasetError, match="no image has the label wet"):
        table("old,wet", ["1,0"] * 12, **several)
    with pytest.raises(DatasetError, match="has no column 'wet'"):
        table("old,dry", ["1,0"] * 12, **several)
    for wrong in (["old"], ["old", "old"]):
        with pytest.raises(ConfigError, match="two or more different ones"):
            table("old,wet", ["1,0"] * 12, columns={"label": wrong})
    with pytest.raises(ConfigError, match=r"Several dataset\.columns\.label"):
        table("old,wet", ["1,0"] * 12, separator=";", **several)


@pytest.mark.parametrize(
    ("cells", "sign"),
    [
        (["a", "b", "a|b"], r"\|"),
        (["a;b", "b;c", "c"], ";"),
        (['"a, b"', "a", "b"], ","),
        (["\"['a', 'b']\"", "a", "b"], "looks like a list"),
    ],
)
def test_a_cell_that_may_be_several_labels_is_asked_about(cells, sign, table):
    """It is made no class of its own; both answers are settings."""
    with pytest.raises(DatasetError, match=sign):
        table("label", cells * 4, delimiter=",")
    assert len(table("label", cells * 4, separator="none", delimiter=",").classes) == 3
    if sign != "looks like a list":
        assert table("label", cells * 4, separator=sign.strip("\\"), delimiter=",").is_multilabel


def test_a_comma_in_a_name(table):
    """Is no question unless its parts are labels."""
    assert table("label", ['"Dog, big"', "Cat"] * 6).classes == ("Cat", "Dog, big")


@pytest.mark.parametrize("words", [("train", "test"), ("Training", "TEST"), ("TRAIN", "Valid"), ("trn", "holdout")])
def test_split_names_as_people_write_them(words, table):
    """In any case."""
    cells = [f"{'ab'[number % 2]},{words[number > 7]}" for number in range(12)]
    (fold,) = table("label,split", cells).folds

    assert (len(fold.train), len(fold.test)) == (8, 4)


def test_metadata_beside_images(rows):
    """A folder with metadata.csv says how it is read."""
    (rows / "metadata.csv").write_text("file_name,species\n" + "\n".join(f"{n}.png,{'ab'[n % 2]}" for n in range(12)))
    with pytest.raises(DatasetError, match=r"dataset=csv dataset.path=.*metadata.csv dataset.columns.path=file_name"):
        Folder(str(rows)).unsplit()
    columns = {"path": "file_name", "label": "species"}
    assert len(Csv(str(rows / "metadata.csv"), columns=columns).unsplit().samples) == 12
