"""Tables as files: Markdown, CSV, HTML and LaTeX."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from offshelf.errors import ConfigError
from offshelf.report.cell import csv_lines
from offshelf.report.files import write_text

_LATEX = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$"}
_LATEX |= {sign: f"\\{sign}" for sign in "&%$#_{}"}
_LATEX |= {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}"}


@dataclass(frozen=True)
class Sheet:
    """A table of strings, whose first column names the rows."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()
    """Sentences below the table."""

    def markdown(self) -> str:
        """Return a table for GitHub."""
        cells = [list(map(_markdown, row)) for row in (self.columns, *self.rows)]
        rule = ["---", *["---:"] * (len(self.columns) - 1)]
        lines = [f"| {' | '.join(row)} |" for row in (cells[0], rule, *cells[1:])]
        return "\n".join([f"### {self.title}", "", *lines, "", *(f"{note}\n" for note in self.notes)]).rstrip() + "\n"

    def csv(self) -> str:
        """Return only the columns and rows, as CSV."""
        return csv_lines([self.columns, *self.rows])

    def html(self) -> str:
        """Return a self-contained page."""
        head = "".join(f"<th>{escape(cell)}</th>" for cell in self.columns)
        body = "\n".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in self.rows)
        notes = "\n".join(f"<p>{escape(note)}</p>" for note in self.notes)
        return _PAGE.format(title=escape(self.title), head=head, body=body, notes=notes)

    def latex(self) -> str:
        """Return a tabular with the rules of booktabs."""
        lines = [" & ".join(map(_latex, row)) + r" \\" for row in (self.columns, *self.rows)]
        inside = [r"\toprule", lines[0], r"\midrule", *lines[1:], r"\bottomrule"]
        notes = [f"% {note}" for note in self.notes]
        kind = f"{{l{'r' * (len(self.columns) - 1)}}}"
        return "\n".join([f"% {self.title}", rf"\begin{{tabular}}{kind}", *inside, r"\end{tabular}", *notes]) + "\n"


def write_sheet(path: Path, sheet: Sheet) -> None:
    """Write a table in the format of the file's suffix.

    Raises:
        ConfigError: There is no such format.
        StoreError: The file cannot be written.
    """
    if path.suffix not in SHEETS:
        raise ConfigError(f"{path} must end with one of {', '.join(SHEETS)}, the formats of tables.")
    write_text(path, SHEETS[path.suffix](sheet))


SHEETS: dict[str, Callable[[Sheet], str]] = {
    ".md": Sheet.markdown,
    ".csv": Sheet.csv,
    ".html": Sheet.html,
    ".tex": Sheet.latex,
}
"""Formats by suffix of the file."""

_PAGE = """<!doctype html>
<meta charset="utf-8">
<title>{title}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; margin: 2em }}
table {{ border-collapse: collapse }}
th, td {{ padding: .25em .7em; border-bottom: 1px solid #ddd; text-align: right; white-space: nowrap }}
th:first-child, td:first-child {{ text-align: left }}
</style>
<h1>{title}</h1>
<table>
<tr>{head}</tr>
{body}
</table>
{notes}
"""


def _markdown(cell: str) -> str:
    return cell.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|").replace("\n", " ")


def _latex(cell: str) -> str:
    return re.sub(r"[\\~^±&%$#_{}<>|]", lambda found: _LATEX[found.group()], cell)
