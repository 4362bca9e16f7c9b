"""The terminal: words are printed as they are, also names with brackets in them.

Secrets are not printed, and control characters in names are shown as escapes: only rich's own styles reach a terminal.
"""

import logging
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import IO, Any, Protocol, cast

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from offshelf.names import visible
from offshelf.secret import masked
from offshelf.terminal.grid import Grid

_is_quiet = ContextVar("is_quiet", default=False)


@contextmanager
def quiet(is_quiet: bool = True) -> Iterator[None]:
    """Print nothing in this context, progress bars included; with False, as outside of it."""
    token = _is_quiet.set(is_quiet or _is_quiet.get())
    try:
        yield
    finally:
        _is_quiet.reset(token)


Line = str | Grid
"""What a command prints: a text, or a table."""

WIDE = 1000
"""Columns of what is no terminal: tables are as wide as they need to be."""


class Notify(Protocol):
    """Receives what a task has to say before and during its work: `show` on the command line, otherwise `discard`."""

    def __call__(self, *lines: Line) -> None:
        """Receive texts, of which empty ones mean nothing, and tables."""


def terminal(stderr: bool = False) -> Console:
    """Return a console without markup and emoji codes, which masks secrets and escapes control characters."""
    console = _Visible(file=cast("IO[str]", _Masking(stderr)), markup=False, emoji=False, quiet=_is_quiet.get())
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = WIDE
    return console


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


class LogFormatter(logging.Formatter):
    """Log lines without control characters."""

    def format(self, record: logging.LogRecord) -> str:
        """See logging.Formatter."""
        return visible(super().format(record))


class _Visible(Console):
    """Shows control characters of what is printed as escapes; its own are segments of another kind."""

    def on_broken_pipe(self) -> None:
        """Go on without printing where nobody reads any more, as under `| head`: the work is not lost."""
        self.quiet = True
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.file.fileno())

    def render_str(self, text: str, **options: Any) -> Text:
        """Escape before widths are measured, so that columns stay aligned."""
        return super().render_str(visible(text), **options)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Escape the rest: what comes as a Text."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(visible(segment.text), segment.style)


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
