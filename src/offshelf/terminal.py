"""The terminal: words are printed as they are, also names with brackets in them; secrets are not printed."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import IO, Any, Protocol, cast

from rich.console import Console
from rich.table import Table

from offshelf.secret import masked

_is_quiet = ContextVar("is_quiet", default=False)


@contextmanager
def quiet() -> Iterator[None]:
    """Print nothing in this context, progress bars included."""
    token = _is_quiet.set(True)
    try:
        yield
    finally:
        _is_quiet.reset(token)


Line = str | Table
"""What a command prints: a text, or a table."""


class Notify(Protocol):
    """Receives what a task has to say before and during its work: `show` on the command line, otherwise `discard`."""

    def __call__(self, *lines: Line) -> None:
        """Receive texts, of which empty ones mean nothing, and tables."""


def terminal(stderr: bool = False) -> Console:
    """A console that takes no `[word]` for markup and no `:word:` for an emoji, and prints no secret."""
    return Console(file=cast("IO[str]", _Masking(stderr)), markup=False, emoji=False, quiet=_is_quiet.get())


def say(*lines: str, stderr: bool = False) -> None:
    """Print lines as long as they are, without colours; empty ones are left out."""
    console = terminal(stderr)
    for line in lines:
        if line:
            console.print(line, highlight=False, soft_wrap=True)


def discard(*lines: Line) -> None:
    """Print nothing."""


def show(*lines: Line) -> None:
    """Print texts as `say` does, and tables."""
    for line in lines:
        if isinstance(line, str):
            say(line)
        else:
            terminal().print(line)


class _Masking:
    """The stream of a console, whichever it is at the moment."""

    def __init__(self, stderr: bool) -> None:
        self._name = "stderr" if stderr else "stdout"

    def write(self, text: str) -> int:
        """Write a text without its secrets."""
        return int(getattr(sys, self._name).write(masked(text)))

    def __getattr__(self, name: str) -> Any:
        """All else is the stream's."""
        return getattr(getattr(sys, self._name), name)
