"""Tables as spreadsheets, pandas and people write them: no row decides for a column, each box is plausible or named."""

import logging

import pytest
from trees import table

from offshelf.dataset import Csv
from offshelf.errors import ConfigError, DatasetError


def nothing(number):
    """No more cells."""
    return []


def sizes(images):
    """Images to train on, and to test on."""
    (fold,) = images.folds
    return len(fold.train), len(fold.test)


@pytest.mark.parametrize("row", [0, 5, 11])
def test_one_empty_split(rows, row):
    """Whichever line it is in: asked about."""
    made = table(rows, "path,label,split", lambda n: ["" if n == row else "test" if n >= 8 else "train"])
    with pytest.raises(DatasetError, match=rf"line {row + 2}: no split.*dataset\.columns\.split=null"):
        made.load()
    kept = table(rows, "path,label,split", lambda n: ["x" * n], columns={"split": None}).load()
    assert sizes(kept) == (9, 3)


def test_empty_column(rows):
    """Is none, and said."""
    images = table(rows, "path,label,split", lambda n: [""]).load()
    assert sizes(images) == (9, 3)
    assert images.notes == ("The split column is empty.",)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        *((("Train", "TEST", "TEST"), (8, 4)), (("training", "testing", "testing"), (8, 4))),
        *(
            (("train", "valid", "valid"), (8, 4)),
            (("train", "val", "test"), (10, 2)),
            (("trn", "dev", "eval"), (10, 2)),
        ),
    ],
)
def test_words_of_the_split(rows, words, expected):
    """As people write them; lines to validate on are tested on where no others are."""
    images = table(rows, "path,label,split", lambda n: [words[0 if n < 8 else 1 if n < 10 else 2]]).load()
    assert sizes(images) == expected
    assert any("split val" in note for note in images.notes) == (words[1] in ("valid", "val", "dev"))


def test_validation_lines(rows):
    """For training, for testing, or for nothing."""

    def of(val):
        return table(rows, "path,label,split", lambda n: [["train", "val", "test"][n // 4]], val=val).load()

    assert [sizes(of(val)) for val in (None, "train", "ignore", "test")] == [(8, 4), (8, 4), (4, 4), (4, 4)]
    assert len(of("ignore").not_taken) == 4
    assert {of("test").samples[row].id for row in of("test").folds[0].test} == {f"{n}.png" for n in range(4, 8)}


def test_split_of_another_name(rows):
    """Is asked about: else all would be mixed."""
    made = table(rows, "path,label,subset", lambda n: ["test" if n >= 8 else "train"])
    with pytest.raises(DatasetError, match=r"column 'subset' that looks like a split.*dataset\.columns\.split=subset"):
        made.load()
    assert sizes(Csv(made.path, columns={"split": "subset"}).load()) == (8, 4)
    assert sizes(Csv(made.path, columns={"split": None}).load()) == (9, 3)


@pytest.mark.parametrize("name", ["is_test", "train", "in_training"])
def test_split_of_numbers(rows, name):
    """A column that is called like a part is no column to be passed over."""
    with pytest.raises(
        DatasetError, match=f"column '{name}' that looks like a split: 0, 1.*with values train and test"
    ):
        table(rows, f"path,label,{name}", lambda n: [str(n % 2)]).load()


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("image,class", r"its columns: image, class\. .*dataset\.columns\.path=image dataset\.columns\.label=class"),
        ("filename,label", r"dataset\.columns\.path=filename"),
        ("path,target", r"dataset\.columns\.label=target"),
        ("foo,bar", r"no column 'path'; its columns: foo, bar\..*dataset\.columns\.path=…"),
        ("0.png,cat", r"no header: its first line is 0\.png, cat.*path,label"),
        ("path,label,label", "2 columns 'label'"),
        ("", "no header"),
    ],
)
def test_other_columns(rows, header, message):
    """The likely ones are named."""
    with pytest.raises(DatasetError, match=message):
        table(rows, header, nothing).load()


def test_columns_are_chosen(rows):
    """By the table's own names; in any case; those that are not read are named."""
    images = table(rows, "Image,Kind,note", lambda n: ["x"], columns={"path": "image", "label": "Kind"}).load()
    assert len(images.samples) == 12
    assert images.notes == ("Unused columns: note.",)
    with pytest.raises(DatasetError, match="no column 'kinds'"):
        Csv(str(rows / "t.csv"), columns={"path": "image", "label": "kinds"}).load()


@pytest.mark.parametrize(
    "settings",
    [{"columns": {"paht": "x"}}, {"columns": {"path": None}}, {"boxes": "yes"}, {"val": "x"}, {"delimiter": ";;"}],
)
def test_settings_that_do_not_fit(settings):
    """Refused when they are made."""
    with pytest.raises(ConfigError, match=r"dataset\."):
        Csv("x.csv", **settings)


@pytest.mark.parametrize("sign", [";", "\t", "|"])
def test_other_delimiters(rows, sign):
    """As the header shows, and said; or as they are given."""
    images = table(rows, sign.join(["path", "label"]), nothing, sign).load()
    assert images.classes == ("a", "b")
    assert images.notes == (f"The delimiter is {sign!r}.",)
    assert len(table(rows, sign.join(["path", "label"]), nothing, sign, delimiter=sign).load().samples) == 12


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_encodings(rows, encoding):
    """As Excel and Windows write them; the others by name."""
    lines = "path,label\n" + "".join(f"{n}.png,{['Bär', 'Übung'][n % 2]}\n" for n in range(12))
    (rows / "t.csv").write_bytes(lines.encode(encoding))
    assert Csv(str(rows / "t.csv")).load().classes == ("Bär", "Übung")
    (rows / "t.csv").write_bytes(lines.encode("cp1252"))
    with pytest.raises(DatasetError, match=r"not CSV in UTF-8: line 2: .*dataset\.encoding=cp1252"):
        Csv(str(rows / "t.csv")).load()
    assert Csv(str(rows / "t.csv"), encoding="cp1252").load().classes == ("Bär", "Übung")
    with pytest.raises(ConfigError, match="not an encoding that Python knows"):
        Csv(str(rows / "t.csv"), encoding="nope").load()


def test_line_for_excel(rows):
    """`sep=;` before the header."""
    (rows / "t.csv").write_text("sep=;\r\npath;label\r\n" + "".join(f"{n}.png;{'ab'[n % 2]}\r\n" for n in range(12)))
    assert len(Csv(str(rows / "t.csv")).load().samples) == 12


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,label\n0.png,a\n1, b.png,b\n2.png,a\n", r"line 3: more cells than its header, which has 2\. Quote"),
        ('path,label\n0.png,a\n"1.png,b\n', "not valid CSV"),
        ("path,label\n0.png,a\n,b\n,b\n", "lines 3, 4: no path"),
        ("path,label\n0.png,a\n1.png,\n", "line 3: no label"),
        ("path,label\n0.png,a\n1.png,b\n0.png,b\n", r"line 4: .*0\.png is 'b' here, 'a' in line 2.*dataset\.separator"),
        ("path,label\n0.png,a\n1.png,b\n./0.png,b\n", r"line 4: .*another label"),
        ("path,label\n0.png,a\0\n", "zero bytes"),
        ("path,label,split\n0.png,a,0\n1.png,b,1\n", "lines 2, 3: split must be train, val or test; got '0'"),
    ],
)
def test_lines_that_do_not_fit(rows, text, message):
    """All of them named by their numbers."""
    (rows / "t.csv").write_text(text)
    with pytest.raises(DatasetError, match=message):
        Csv(str(rows / "t.csv")).load()


def test_labels_are_text(rows):
    """007 is not 7, nor true True; labels that read alike are said."""
    cells = ["007", "7", "true", "True", "1e3", "nan"]
    (rows / "t.csv").write_text("path,label\n" + "".join(f"{n}.png,{cells[n % 6]}\n" for n in range(12)))
    images = Csv(str(rows / "t.csv"), folds=2).load()
    assert images.classes == ("007", "1e3", "7", "True", "nan", "true")
    alike = "007 and 7, True and true"
    assert images.notes == (
        f"Labels that differ only in case, accents, spaces or zeros are separate classes: {alike}.",
    )


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_ends_of_lines(rows, end):
    """Of all systems; a line separator of Unicode in a label is a sign as any."""
    labels = ("a\u2028b", "c\x0cd")
    lines = ["path,label", *(f"{n}.png,{labels[n % 2]}" for n in range(12))]
    (rows / "t.csv").write_bytes(end.join(lines).encode())
    assert Csv(str(rows / "t.csv")).load().classes == labels


def test_lines_that_repeat(rows):
    """The same file, label and box: counted, and named."""
    (rows / "t.csv").write_text("path,label\n" + "".join(f"{n % 6}.png,{'ab'[n % 2]}\n" for n in range(12)))
    assert Csv(str(rows / "t.csv")).load().notes == (
        "6 line(s) repeat file and label of an earlier one: 8, 9, 10 and 3 more.",
    )


def test_several_labels(rows):
    """In one cell; none in an empty one. The split is drawn so that each label is trained and tested on."""
    cells = ["red; round", "red", "", "round;small", "small", "red;small"]
    (rows / "t.csv").write_text("path,label\n" + "".join(f"{n}.png,{cells[n % 6]}\n" for n in range(12)))
    images = Csv(str(rows / "t.csv"), separator=";", test_fraction=0.5).load()
    (fold,) = images.folds

    assert images.classes == ("red", "round", "small")
    assert images.samples[0].target == (1, 1, -1)
    assert images.samples[2].target == (-1, -1, -1)
    assert images.metric == "mAP_sklearn"
    for rows_of in (fold.train, fold.test):
        assert (images.targets[rows_of] > 0).any(axis=0).all()


def test_files_that_are_elsewhere(tmp_path, caplog):
    """If none is there, it is said where they were looked for; single ones are named when all are read."""
    (tmp_path / "t.csv").write_text("path,label\n" + "".join(f"img\\\\{n}.png,{'ab'[n % 2]}\n" for n in range(12)))
    with caplog.at_level(logging.WARNING):
        Csv(str(tmp_path / "t.csv")).load()
    assert "None of the 12 files" in caplog.text
    assert "backslashes" in caplog.text
    assert "dataset.root=DIR" in caplog.text
