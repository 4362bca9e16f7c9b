"""The terminal: words are printed as they are, also names of files and layers with brackets in them."""

from rich.console import Console


def terminal(stderr: bool = False) -> Console:
    """A console that takes no `[word]` for markup and no `:word:` for an emoji."""
    return Console(stderr=stderr, markup=False, emoji=False)
