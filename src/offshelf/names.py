"""Names of files and classes, for sentences and tables."""

import re
from collections.abc import Iterable

NAMED = 3
"""Number of names in a sentence; the others are counted."""

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What a terminal obeys instead of showing it, except tabs and ends of lines, and what turns the order of letters."""


def readable(name: str) -> str:
    r"""Return a name with bytes that are not UTF-8, which files and terminals reject, as `\xe9`; others unchanged."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def visible(text: str) -> str:
    r"""Escape what a terminal would obey: control characters as `\x1b`, overrides of the writing direction as `\u202e`.

    Tabs and ends of lines stay as they are.
    """
    return _CONTROL.sub(lambda found: _escape(ord(found[0])), text)


def _escape(code: int) -> str:
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"


def in_quotes(text: str) -> str:
    """Return a text in quotes of Hydra's grammar, in which it means itself.

    `${…}` in it is not looked up; backslashes are doubled before that, before a quote and at the end.
    """
    text = re.sub(r"(\\*)\$\{", r"\1\1\\${", text)
    inner = re.sub(r"(\\*)('|\Z)", lambda found: 2 * found[1] + ("\\'" if found[2] else ""), text)
    return f"'{inner}'"


def listed(names: Iterable[str]) -> str:
    """Return the first few names, and the number of the others."""
    named = list(names)
    more = f" and {len(named) - NAMED:,} more" if len(named) > NAMED else ""
    return ", ".join(named[:NAMED]) + more
