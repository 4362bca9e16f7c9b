"""CSV files that are safe in spreadsheets: text that looks like a formula is marked as text.

Readers of these files remove the mark, so that text round-trips.
"""

import csv
import io
from collections.abc import Iterable, Sequence
from types import SimpleNamespace
from typing import Any

from offshelf.dataset.formulas import mark, unmark


def csv_lines(rows: Iterable[Sequence[Any]]) -> str:
    """Return rows as CSV."""
    lines: list[str] = []
    # The writer quotes text only for the line ends that it writes itself.
    file = SimpleNamespace(write=lambda line: lines.append(f"{line[:-2]}\n"))
    csv.writer(file, lineterminator="\r\n").writerows(map(mark, row) for row in rows)
    return "".join(lines)


def read_csv(text: str) -> list[list[str]]:
    """Return the rows of `csv_lines`, except empty ones."""
    return [list(map(unmark, line)) for line in csv.reader(io.StringIO(text, newline="")) if line]
