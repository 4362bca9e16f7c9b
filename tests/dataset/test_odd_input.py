"""Names that read alike, settings that nothing matches, folders of runs among images, tables of another kind."""

import gzip

import pytest
from trees import picture, tree

from offshelf.dataset import Csv, Folder
from offshelf.dataset.split_names import as_read
from offshelf.errors import DatasetError


@pytest.mark.parametrize(
    ("one", "other"),
    [
        *(("cat", other) for other in ("Cat", "cat ", " cat", "cat\u200b", "\ufeffcat", "ｃａｔ", "cat\u00a0")),
        *(("golden retriever", other) for other in ("golden  retriever", "golden_retriever", "Golden\tRetriever")),
        *(("1", other) for other in ("01", "1.0", "+1", "1.", "001.00")),
        *(("caf\u00e9", other) for other in ("cafe\u0301", "CAFÉ")),
    ],
)
def test_classes_that_read_alike(tmp_path, one, other):
    """Both are classes, and it is said."""
    tree(tmp_path, one, other, "z")
    images = Folder(str(tmp_path)).load()
    assert set(images.classes) == {one, other, "z"}
    assert "differ only in case, accents, spaces or zeros" in images.notes[0]


@pytest.mark.parametrize(
    ("one", "other"), [("1", "10"), ("1", "-1"), ("a", "b"), ("1.5", "15"), ("a-b", "ab"), ("0", "00x")]
)
def test_classes_that_do_not(one, other):
    """Numbers and words that mean something else."""
    assert as_read(one) != as_read(other)


def test_unseen_letters_are_shown(tmp_path):
    """The sentence does not name one class twice."""
    tree(tmp_path, "cat", "cat\u200b", "cat ")
    (note,) = Folder(str(tmp_path)).load().notes
    assert note.endswith(r"are separate classes: cat, 'cat ', 'cat\u200b'.")


def test_patterns_that_match_nothing(tmp_path):
    """A misspelt one is named; one that matches is not."""
    tree(tmp_path, "a", "b", "masks")
    images = Folder(str(tmp_path), ignore=["maks", "./masks", "b"]).load()
    assert images.classes == ("a", "masks")
    assert "Nothing matches maks, ./masks (dataset.ignore)." in images.notes


@pytest.mark.parametrize(
    "made",
    [
        "outputs/classify/2026-01-02/03-04-05/.hydra/config.yaml",
        "multirun/classify/2026-01-02/03-04-05/multirun.yaml",
        "mine/.hydra/config.yaml",
        "home/mlflow.db",
    ],
)
def test_results_among_the_images(tmp_path, made):
    """Where a run was started in a folder of images, its plots are no class."""
    tree(tmp_path, "a", "b")
    file = tmp_path / made
    file.parent.mkdir(parents=True)
    file.write_text("x")
    picture(file.parent / "confusion.png")
    images = Folder(str(tmp_path)).load()
    assert images.classes == ("a", "b")
    assert [(one.id, one.why) for one in images.not_taken] == [(made.partition("/")[0], "results of runs")]


def test_a_class_of_many_folders(tmp_path):
    """Folders of folders of images are a class as ever."""
    tree(tmp_path, "a/x/y", "b/x/y")
    assert Folder(str(tmp_path)).load().classes == ("a", "b")


def test_roots_without_a_name(tmp_path):
    """An empty one is no folder; the name of one that ends in two dots is that of what is meant."""
    tree(tmp_path / "set", "a", "b")
    with pytest.raises(DatasetError, match=r"dataset\.root is empty"):
        Folder("").load()
    assert Folder(f"{tmp_path}/set/a/..").load().name == "set"


def table(folder, text, **settings):
    """A table of images 0.png to 7.png, which are there."""
    for number in range(8):
        picture(folder / f"{number}.png")
    (folder / "t.csv").write_text(text) if isinstance(text, str) else (folder / "t.csv").write_bytes(text)
    return Csv(str(folder / "t.csv"), **settings)


def lines(cells):
    """A line for each image."""
    return "".join(f"{number}.png,{'ab'[number % 2]}{cells(number)}\n" for number in range(8))


def test_split_with_another_word(tmp_path):
    """A column with train, test and more is asked about; it is not drawn over."""
    text = "path,label,use\n" + lines(lambda number: "," + ["train", "test", "extra"][number % 3])
    with pytest.raises(DatasetError, match="'use' that looks like a split: extra, test, train"):
        table(tmp_path, text).load()
    assert len(table(tmp_path, text, columns={"split": None}).load().folds) == 1


@pytest.mark.parametrize("columns", [{"label": "path"}, {"split": "label"}, {"x1": "label", "x2": "label"}])
def test_one_column_for_two(tmp_path, columns):
    """A label that is the path, or the split, is nobody's wish."""
    with pytest.raises(DatasetError, match="are read from one column"):
        table(tmp_path, "path,label,y1,y2\n" + lines(lambda number: ",1,2"), columns=columns).load()


SPREADSHEETS = {
    "gz": gzip.compress(b"path,label\n", mtime=0),
    "xlsx": b"PK\x03\x04" + bytes(30),
    "xls": b"\xd0\xcf\x11\xe0rest",
}


@pytest.mark.parametrize("data", SPREADSHEETS.values(), ids=SPREADSHEETS)
def test_spreadsheets(tmp_path, data):
    """No other encoding would help."""
    with pytest.raises(DatasetError, match="but a spreadsheet or an archive"):
        table(tmp_path, data).load()


def test_names_with_spaces_around_them(tmp_path):
    """The file that is named so is taken, and not another; spaces for the eye are none of the name."""
    picture(tmp_path / " 0.png")
    text = 'path,label\n" 0.png",b\n' + lines(lambda number: "").replace("1.png", " 1.png ")
    images = table(tmp_path, text).load()
    names = [sample.image.path.name for sample in images.samples]
    assert names[:3] == [" 0.png", "0.png", "1.png"]


def test_one_file_in_both_parts(tmp_path):
    """By its boxes: no leak of equal images, and said all the same."""
    text = "path,label,split,x1,y1,x2,y2\n" + "".join(
        f"{number % 4}.png,{'ab'[number % 2]},{'train' if number < 4 else 'test'},{number // 4},0,{number // 4 + 3},5\n"
        for number in range(8)
    )
    assert any(note.startswith("4 file(s) are in both parts") for note in table(tmp_path, text).load().notes)


def test_a_separator_that_is_in_no_label(tmp_path, caplog):
    """It may be another."""
    table(tmp_path, "path,label\n" + lines(lambda number: ""), separator=";").load()
    assert "contains ';' (dataset.separator)" in caplog.text
