"""Nearest names, for messages."""

from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher, get_close_matches
from typing import Any

LEAST_SIMILARITY = 0.5
"""Least similarity at which a name counts as misspelt."""

LEAST_SIMILARITY_NESTED = 0.8
"""The same for nested keys, of which there are many."""


MOST_LISTED = 100
"""Largest number of known names that a message lists."""


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """Return the end of a sentence about an unknown word: the nearest known one, or all of them."""
    listed = [name for name in known if not name.startswith("_")]
    near = nearest(word, listed)
    if near:
        return f"; did you mean '{near}'?"
    return f". There are: {', '.join(listed)}." if 0 < len(listed) <= MOST_LISTED else "."


def nearest(word: str, known: Sequence[str]) -> str:
    """Return the known name that is most like a word, whatever their case; empty if none is like it."""
    same = [name for name in known if name.lower() == word.lower()]
    return next(iter(same or get_close_matches(word, known, 1, cutoff=LEAST_SIMILARITY)), "")


def did_you_mean_key(word: str, place: str, tree: Mapping[str, Any]) -> str:
    """Return the same about a key that a tree of keys lacks, or has further below; `place` is the tree's path."""
    direct = [str(key) for key in tree if not str(key).startswith("_")]
    if any(name.lower() == word.lower() for name in direct):
        return did_you_mean(word, direct)
    below = [path for path in _paths(tree) if "." in path and _likeness(word, path) >= LEAST_SIMILARITY_NESTED]
    nearest = max(below, key=lambda path: (_likeness(word, path), -path.count(".")), default="")
    if nearest and _likeness(word, nearest) > max((_likeness(word, name) for name in direct), default=0):
        return f"; did you mean '{place}.{nearest}'?" if place else f"; did you mean '{nearest}'?"
    return did_you_mean(word, direct)


def _paths(tree: Mapping[str, Any], above: str = "") -> list[str]:
    found = []
    for key, value in tree.items():
        if not str(key).startswith("_"):
            found += [f"{above}{key}", *(_paths(value, f"{above}{key}.") if isinstance(value, Mapping) else [])]
    return found


def _likeness(word: str, path: str) -> float:
    return SequenceMatcher(None, word.lower(), path.rpartition(".")[2].lower()).ratio()
