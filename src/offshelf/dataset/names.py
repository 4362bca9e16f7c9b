"""Names of files and classes, for sentences and tables."""

from collections.abc import Iterable

NAMED = 3
"""Names in a sentence; the others are counted."""


def readable(name: str) -> str:
    r"""A name of bytes that are no UTF-8, which no file or terminal takes, with `\xe9` for each; any other as it is."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def listed(names: Iterable[str]) -> str:
    """The first few names, and how many more."""
    named = list(names)
    more = f" and {len(named) - NAMED:,} more" if len(named) > NAMED else ""
    return ", ".join(named[:NAMED]) + more
