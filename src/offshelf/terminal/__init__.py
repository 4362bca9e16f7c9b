"""What is printed: words without control characters and secrets, tables, and the progress of long work."""

from offshelf.terminal.console import Line, LogFormatter, Notify, discard, quiet, say, show, terminal
from offshelf.terminal.grid import Column, Grid, columns

__all__ = [
    "Column",
    "Grid",
    "Line",
    "LogFormatter",
    "Notify",
    "columns",
    "discard",
    "quiet",
    "say",
    "show",
    "terminal",
]
