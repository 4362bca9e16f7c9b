"""The terminal: words are printed as they are, also names of files and layers with brackets in them."""

from rich.console import Console

from offshelf.secret import masked


def terminal(stderr: bool = False) -> Console:
    """A console that takes no `[word]` for markup and no `:word:` for an emoji."""
    return Console(stderr=stderr, markup=False, emoji=False)


def say(*lines: str, stderr: bool = False) -> None:
    """Print lines as long as they are, without colours and secrets; empty ones are left out."""
    console = terminal(stderr)
    for line in lines:
        if line:
            console.print(masked(line), highlight=False, soft_wrap=True)
