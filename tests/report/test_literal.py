"""Names are data: whatever a class, a layer or a run is called, figures and files of it are made."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from offshelf.report import confusion_figure, write_text
from offshelf.report.literal import literal

NAMES = [
    "$b_$",
    "$",
    "a$b$c",
    r"\$x$",
    "\\",
    "caf\udce9",
    "a\nb",
    "\x1b[31mred",
    "_under",
    "<b>",
    "[red]",
    "x" * 300,
    "שלום",
    "😀",
]


def drawn(text):
    """What matplotlib draws, and whether it takes it for mathematics."""
    label = Figure().text(0, 0, text)
    return label._preprocess_math(label.get_text())


@pytest.mark.parametrize("name", ["$b_$", "$", "a$b$c", r"\$x$", r"\$", "100%", "a_b"])
def test_it_is_drawn_as_it_is(name):
    """Dollars are no mathematics."""
    assert drawn(literal(name)) == (name, False)


def test_letters_that_cannot_be_drawn():
    """By their numbers."""
    assert literal("a\nb\x1b") == r"a\nb\x1b"
    assert literal("caf\udce9") == r"caf\udce9"
    assert literal("_under") == " _under"


@pytest.mark.filterwarnings("ignore:Glyph", "ignore:Matplotlib currently")
def test_a_figure_of_odd_names(tmp_path):
    """Drawing them ends in a file."""
    confusion = np.eye(len(NAMES), dtype=int)
    figure = confusion_figure(confusion, NAMES, "$a_$ \udce9")
    figure.savefig(tmp_path / "confusion.png")

    assert (tmp_path / "confusion.png").stat().st_size > 0


def test_files_take_names_that_are_no_utf8(tmp_path):
    """Their bytes as numbers."""
    write_text(tmp_path / "x.csv", "caf\udce9,1\n")

    assert (tmp_path / "x.csv").read_bytes() == b"caf\\udce9,1\n"
