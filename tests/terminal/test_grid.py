"""Tables in a terminal of any width, and in a file."""

import io

import pytest
from rich.console import Console

from offshelf.terminal import terminal
from offshelf.terminal.grid import Column, Grid, columns

NUMBERS = ["0.9511 ± 0.0145", "0.9465 ± 0.0199", "200–2000", "1,280", "8e-16", "12.5"]


def grid():
    table = Grid(columns(["layer"], ["test accuracy", "cv accuracy", "C", "dims", "dual gap", "fit s"]), "A title")
    for name in ("blocks.5", "pre_logits"):
        table.add(name, *NUMBERS, is_bold=name == "blocks.5")
    return table


def shown(table, width):
    console = Console(width=width, file=io.StringIO())
    console.print(table)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def test_all_beside_each_other():
    """Numbers end below each other, in 80 columns."""
    lines = shown(grid(), 80)

    assert lines[0] == "A title"
    assert [line.split()[0] for line in lines[3:]] == ["blocks.5", "pre_logits"]
    assert len(set(map(len, lines[1:]))) == 1
    assert all(number in lines[3] for number in NUMBERS)


@pytest.mark.parametrize("width", range(28, 80, 3))
def test_no_cell_is_broken(width):
    """What has no room is in another table, beside the names again; nothing is lost."""
    lines = shown(grid(), width)

    assert max(map(len, lines)) <= width
    for number in NUMBERS:
        assert sum(number in line and line.startswith(("blocks.5", "pre_logits")) for line in lines) == 2


def test_words_give_way():
    """A column of words is broken between words where even two columns have no room; numbers stay whole."""
    table = Grid([*columns(["run"], ["accuracy"]), Column("layer", is_number=False)])
    table.add("a run with a name that is as long as names of sweeps", "0.9511 ± 0.0145", "block1, block2 and block3")
    lines = shown(table, 40)

    assert max(map(len, lines)) <= 40
    assert any("0.9511 ± 0.0145" in line for line in lines)
    assert "as long as names" in " ".join(" ".join(lines).split())


def test_control_characters_have_a_width():
    """They are shown as escapes, before columns are measured."""
    table = Grid(columns(["name"], ["n"]))
    table.add("a\x1b[31mb", "1")
    assert any(line.startswith("a\\x1b[31mb") for line in shown(table, 40))


def test_as_wide_as_needed_without_a_terminal(monkeypatch, capsys):
    """COLUMNS is obeyed all the same."""
    names = [f"a column with a long name {number}" for number in range(8)]
    table = Grid(columns(["row"], names))
    table.add("first", *map(str, range(8)))
    monkeypatch.delenv("COLUMNS", raising=False)
    terminal().print(table)
    assert all(name in capsys.readouterr().out.splitlines()[0] for name in names[:1])
    monkeypatch.setenv("COLUMNS", "80")
    terminal().print(table)
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80
