"""Names of files and classes, for sentences and tables."""

from collections.abc import Iterable

NAMED = 3
"""Number of names in a sentence; the others are counted."""


def readable(name: str) -> str:
    r"""Return a name with bytes that are not UTF-8, which files and terminals reject, as `\xe9`; others unchanged."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def listed(names: Iterable[str]) -> str:
    """Return the first few names, and the number of the others."""
    named = list(names)
    more = f" and {len(named) - NAMED:,} more" if len(named) > NAMED else ""
    return ", ".join(named[:NAMED]) + more
