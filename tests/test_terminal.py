"""What the terminal prints, it prints as it is."""

import io

import pytest
from rich.table import Table

from offshelf.terminal import terminal


@pytest.mark.parametrize("text", ["pip install 'offshelf[fast]'", "cars[/old] [bold]", ":smile:", "classifier.C=[…]"])
def test_brackets_stay(text):
    """In lines, and in a table's title and cells."""
    console = terminal()
    console.file = io.StringIO()
    table = Table(title=text)
    table.add_row(text)
    console.print(text)
    console.print(table)

    assert console.file.getvalue().count(text) == 3
