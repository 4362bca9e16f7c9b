"""A table of runs in the terminal, whatever its width."""

from collections.abc import Sequence

from rich import box
from rich.console import JustifyMethod
from rich.table import Table

from offshelf.report.sheet import Sheet
from offshelf.terminal import terminal

FIXED = 5
"""Number of columns before the parameters: name, id, metric, difference, p."""

ID = 1
"""Number of the column with the runs' ids."""

SHOWN = 3
"""Largest number of parameters in the terminal; files have all that differ."""

NARROW = 20
"""Smallest width of runs' names, in characters, with parameters next to them."""


def show_runs(sheet: Sheet) -> None:
    """Print the table; in a narrow terminal parameters are below the numbers, not next to them."""
    console = terminal()
    everything = list(range(len(sheet.columns)))
    numbers, params = everything[:FIXED], everything[FIXED:]
    beside = params[:SHOWN]
    if _width(sheet, [*numbers, *beside]) <= console.width:
        console.print(_table(sheet, [*numbers, *beside], sheet.title))
    else:
        console.print(_table(sheet, numbers, sheet.title))
        while len(beside) > 1 and _width(sheet, [ID, *beside]) > console.width:
            beside.pop()
        console.print(_table(sheet, [ID, *beside], "What differs"))
    hidden = [sheet.columns[number] for number in params if number not in beside]
    more = [f"These differ too: {', '.join(hidden)}; --out FILE.csv has them."] if hidden else []
    for note in [*sheet.notes, *more]:
        console.print(note, soft_wrap=True)


def _width(sheet: Sheet, columns: Sequence[int]) -> int:
    """Return the width of these columns in characters; names of runs may be wrapped."""
    longest = [max(len(row[number]) for row in (sheet.columns, *sheet.rows)) for number in columns]
    narrow = [min(width, NARROW) if number == 0 else width for number, width in zip(columns, longest, strict=True)]
    return sum(narrow) + 2 * len(columns)


def _table(sheet: Sheet, columns: Sequence[int], title: str) -> Table:
    table = Table(title=title, box=box.SIMPLE, title_justify="left", pad_edge=False)
    for number in columns:
        justify: JustifyMethod = "right" if 1 < number < FIXED else "left"
        table.add_column(sheet.columns[number], justify=justify, no_wrap=0 < number < FIXED, overflow="fold")
    for place, line in enumerate(sheet.rows):
        table.add_row(*(line[number] for number in columns), style="bold" if place == 0 else None)
    return table
