"""CSV files whose texts spreadsheets leave alone: what they would take for a formula is marked as text.

The mark is theirs: an apostrophe in front. Readers of these files take it off again, so that every text comes back.
"""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from types import SimpleNamespace
from typing import Any

_FORMULA = re.compile(r"'*(\s*[=+\-@＝＋－＠]|[\t\r\n])")
"""How a cell begins that is computed, and one that the mark was put before."""
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?%?( [\d\s.,±%()\[\]+–-]*)?")
"""One number, perhaps with its interval."""


def csv_lines(rows: Iterable[Sequence[Any]]) -> str:
    """Rows as CSV."""
    lines: list[str] = []
    # The writer quotes a text for those line ends alone that it writes itself.
    file = SimpleNamespace(write=lambda line: lines.append(f"{line[:-2]}\n"))
    csv.writer(file, lineterminator="\r\n").writerows(map(mark, row) for row in rows)
    return "".join(lines)


def read_csv(text: str) -> list[list[str]]:
    """Rows of `csv_lines`, those without cells left out."""
    return [list(map(unmark, line)) for line in csv.reader(io.StringIO(text, newline="")) if line]


def mark(value: Any) -> Any:
    """A value as it is written: a text that begins like a formula, and is no number, with an apostrophe before it."""
    is_marked = isinstance(value, str) and _FORMULA.match(value) and not _NUMBER.fullmatch(value)
    return f"'{value}" if is_marked else value


def unmark(written: str) -> str:
    """The text that `mark` wrote."""
    return written[1:] if written.startswith("'") and _FORMULA.match(written) else written
