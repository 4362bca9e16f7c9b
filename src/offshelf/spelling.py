"""Nearest names, for messages."""

from collections.abc import Sequence
from difflib import get_close_matches


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """The end of a sentence about an unknown word: the nearest known one, or all of them."""
    listed = [name for name in known if not name.startswith("_")]
    near = get_close_matches(word, listed, 1, cutoff=0.5)
    if near:
        return f"; did you mean '{near[0]}'?"
    return f". There are: {', '.join(listed)}." if listed else "."
