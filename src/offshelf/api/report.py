"""The report of a run as a value: shown in a notebook, written to a file."""

from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from offshelf.report import write_text

HEIGHT = 900
"""Pixels of the report in a notebook."""


@dataclass(frozen=True)
class Report:
    """The page of a run, which a notebook shows in a frame that can neither read the notebook nor change it."""

    html: str = field(repr=False)
    """The page."""

    def write(self, path: str | Path) -> Path:
        """Write the page, and return where it is.

        Raises:
            StoreError: the file cannot be written.
        """
        target = Path(path).expanduser()
        write_text(target, self.html)
        return target

    def _repr_html_(self) -> str:
        frame = f'sandbox="allow-scripts" width="100%" height="{HEIGHT}" frameborder="0"'
        return f'<iframe srcdoc="{escape(self.html, quote=True)}" {frame}></iframe>'
