"""A table in the terminal that breaks no cell: columns without room are in further tables, beside the names again."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from offshelf.names import visible

GAP = 2
"""Blanks between two columns."""
LEAST = 16
"""Least characters that a column of words is narrowed to, where a table would else be cut."""


@dataclass(frozen=True)
class Column:
    """A column of a grid."""

    header: str
    is_number: bool = True
    """Whether it is aligned at the right, and never broken; words are broken where they do not fit a line."""


def columns(words: Sequence[str], numbers: Sequence[str] = ()) -> list[Column]:
    """Return columns of words, then of numbers."""
    return [*(Column(name, is_number=False) for name in words), *map(Column, numbers)]


@dataclass
class Grid:
    """A table whose first column names the rows, the most important columns first; title and notes are around it."""

    columns: Sequence[Column]
    title: str = ""
    notes: Sequence[str] = ()
    has_header: bool = True
    rows: list[tuple[Sequence[str], bool]] = field(default_factory=list)
    """Cells of each row, and whether it is bold."""
    ends: set[int] = field(default_factory=set)
    """Numbers of the rows that a blank line follows."""

    def add(self, *cells: str, is_bold: bool = False) -> None:
        """Add a row."""
        self.rows.append(([visible(cell) for cell in cells], is_bold))

    @staticmethod
    def of_facts(facts: Sequence[tuple[str, str]], title: str = "") -> "Grid":
        """Return a table of names and what is to be said of each."""
        grid = Grid(columns(("", "")), title, has_header=False)
        for name, words in facts:
            grid.add(name, words)
        return grid

    def end_section(self) -> None:
        """Separate the rows so far from later ones."""
        self.ends.add(len(self.rows) - 1)

    def cells(self, number: int) -> list[str]:
        """Return the cells of a column."""
        return [cells[number] for cells, _ in self.rows]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Give rich the title, one or several tables, and the notes."""
        if self.title:
            yield Text(self.title, style="table.title")
        for place, numbers in enumerate(self.parts(options.max_width)):
            yield from [Text("")] if place else []
            yield self._table(numbers, options.max_width)
        yield from (Text(note, style="table.caption") for note in self.notes)

    def parts(self, width: int) -> list[list[int]]:
        """Return the numbers of the columns of each table: as many as fit beside the first."""
        parts, left = [[0]], width - self._width(0)
        for number in range(1, len(self.columns)):
            needed = self._width(number) + GAP
            if needed > left and len(parts[-1]) > 1:
                parts.append([0])
                left = width - self._width(0)
            parts[-1].append(number)
            left -= needed
        return parts

    def _width(self, number: int) -> int:
        return max(map(cell_len, [self.columns[number].header, *self.cells(number)]))

    def _table(self, numbers: Sequence[int], width: int) -> Table:
        """Return a table of some columns; where even these have no room, columns of words are narrowed."""
        table = Table(box=box.SIMPLE, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
        table.show_header = self.has_header
        widths = self._narrowed(numbers, width)
        for number in numbers:
            column = self.columns[number]
            table.add_column(
                column.header,
                justify="right" if column.is_number else "left",
                overflow="fold",
                no_wrap=column.is_number,
                min_width=widths[number],
            )
        for row, (cells, is_bold) in enumerate(self.rows):
            shown = [cells[number] for number in numbers]
            table.add_row(*shown, style="bold" if is_bold else None, end_section=row in self.ends)
        return table

    def _narrowed(self, numbers: Sequence[int], width: int) -> dict[int, int]:
        """Return the widths of columns; those of words give way, the widest first, where there is no room for all."""
        widths = {number: self._width(number) for number in numbers}
        words = [number for number in numbers if not self.columns[number].is_number]
        while words and sum(widths.values()) + GAP * (len(numbers) - 1) > width:
            widest = max(words, key=widths.__getitem__)
            if widths[widest] <= LEAST:
                break
            widths[widest] -= 1
        return widths
