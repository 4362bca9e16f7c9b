"""Text in CSV files that spreadsheets would compute: it gets their own mark, a leading apostrophe."""

import re
from typing import Any

_FORMULA = re.compile(r"'*(\s*[=+\-@＝＋－＠]|[\t\r\n])")
"""Pattern of cells that spreadsheets compute, and of those with a mark before it."""
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?%?( [\d\s.,±%()\[\]+–-]*)?")
"""Pattern of one number, possibly with its interval."""


def mark(value: Any) -> Any:
    """Return a value for writing: text that begins like a formula, and is not a number, gets a leading apostrophe."""
    is_marked = isinstance(value, str) and _FORMULA.match(value) and not _NUMBER.fullmatch(value)
    return f"'{value}" if is_marked else value


def unmark(written: str) -> str:
    """Return the text that was passed to `mark`."""
    return written[1:] if written.startswith("'") and _FORMULA.match(written) else written
