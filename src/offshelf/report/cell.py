"""CSV files that are safe in spreadsheets: text that looks like a formula is marked as text.

The mark is the spreadsheets' own, a leading apostrophe. Readers of these files remove it, so that text round-trips.
"""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from types import SimpleNamespace
from typing import Any

_FORMULA = re.compile(r"'*(\s*[=+\-@＝＋－＠]|[\t\r\n])")
"""Pattern of cells that spreadsheets compute, and of those with a mark before it."""
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?%?( [\d\s.,±%()\[\]+–-]*)?")
"""Pattern of one number, possibly with its interval."""


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


def mark(value: Any) -> Any:
    """Return a value for writing: text that begins like a formula, and is not a number, gets a leading apostrophe."""
    is_marked = isinstance(value, str) and _FORMULA.match(value) and not _NUMBER.fullmatch(value)
    return f"'{value}" if is_marked else value


def unmark(written: str) -> str:
    """Return the text that was passed to `mark`."""
    return written[1:] if written.startswith("'") and _FORMULA.match(written) else written
