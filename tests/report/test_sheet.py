"""Tables as files, with the characters that each format makes special."""

import csv
from html.parser import HTMLParser

import pytest

from offshelf.errors import ConfigError, StoreError
from offshelf.report import Sheet, write_sheet

SHEET = Sheet("A & B", ["method", "a_b"], [["x|y <b>", "1 ± 2"], ["C:\\n, 5%", ""]], ["A note < all."])


class Cells(HTMLParser):
    """Texts of a page's cells."""

    def __init__(self):
        super().__init__()
        self.cells, self.inside = [], False

    def handle_starttag(self, tag, attrs):
        self.inside = tag in ("td", "th")

    def handle_endtag(self, tag):
        self.inside = False

    def handle_data(self, data):
        if self.inside:
            self.cells.append(data)


def test_markdown():
    """Bars end no cell, and nothing becomes a tag."""
    assert SHEET.markdown().splitlines() == [
        "### A & B",
        "",
        "| method | a_b |",
        "| --- | ---: |",
        "| x\\|y &lt;b> | 1 ± 2 |",
        "| C:\\n, 5% |  |",
        "",
        "A note < all.",
    ]


def test_csv():
    """Read back by the standard library."""
    assert list(csv.reader(SHEET.csv().splitlines())) == [["method", "a_b"], *SHEET.rows]


def test_html():
    """No cell's text becomes a tag."""
    page = Cells()
    page.feed(SHEET.html())

    assert page.cells == ["method", "a_b", "x|y <b>", "1 ± 2", "C:\\n, 5%"]
    assert "A &amp; B" in SHEET.html()


def test_latex():
    """Special characters are escaped."""
    lines = SHEET.latex().splitlines()

    assert lines[1] == r"\begin{tabular}{lr}"
    assert r"method & a\_b \\" in lines
    assert r"x\textbar{}y \textless{}b\textgreater{} & 1 $\pm$ 2 \\" in lines
    assert r"C:\textbackslash{}n, 5\% &  \\" in lines


def test_format_and_folder(tmp_path):
    """By the name's end; a folder that cannot be made is a sentence."""
    write_sheet(tmp_path / "deep/er/out.csv", SHEET)
    assert (tmp_path / "deep/er/out.csv").read_text(encoding="utf-8") == SHEET.csv()
    with pytest.raises(ConfigError, match=r"must end with one of \.md, \.csv, \.html, \.tex"):
        write_sheet(tmp_path / "out.docx", SHEET)
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="file"):
        write_sheet(tmp_path / "file/out.md", SHEET)
