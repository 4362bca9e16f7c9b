"""A table of runs in the terminal, whatever its width."""

from offshelf.report.sheet import Sheet
from offshelf.terminal import say, terminal
from offshelf.terminal.grid import Grid, columns

FIXED = 5
"""Number of columns before the parameters: name, metric, difference, p, id."""
NUMBERS = 4
"""Number of columns up to the last number."""

SHOWN = 3
"""Largest number of parameters in the terminal; files have all that differ."""
TABLES = 2
"""Largest number of tables that these are spread over."""


def show_runs(sheet: Sheet) -> None:
    """Print the table; in a narrow terminal parameters are below the numbers, not next to them."""
    shown = sheet.columns[: FIXED + SHOWN]
    grid = Grid([*columns(shown[:1], shown[1:NUMBERS]), *columns(shown[NUMBERS:])], sheet.title)
    for place, line in enumerate(sheet.rows):
        grid.add(*line[: len(shown)], is_bold=place == 0)
    console = terminal()
    while len(grid.columns) > FIXED + 1 and len(grid.parts(console.width)) > TABLES:
        grid.columns = grid.columns[:-1]
    hidden = sheet.columns[len(grid.columns) :]
    console.print(grid)
    more = f"These differ too: {', '.join(hidden)}; --out FILE.csv has them." if hidden else ""
    say(*sheet.notes, more)


def show_sheet(sheet: Sheet) -> None:
    """Print a table of numbers, whose first column names the rows, and its notes."""
    grid = Grid(columns(sheet.columns[:1], sheet.columns[1:]), sheet.title)
    for line in sheet.rows:
        grid.add(*line)
    terminal().print(grid)
    say(*sheet.notes)
