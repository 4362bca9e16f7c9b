"""The confusion matrix: a table of buttons for few classes, a canvas for many, and the pairs that are confused most."""

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np

from offshelf.report.html.contents import Contents
from offshelf.report.html.packing import packed

TABLE = 25
"""Number of classes up to which the matrix is a table."""
SHADES = 20
"""Number of shades of a cell, classes `s1` to `s20` of the style sheet."""
PAIRS = 12
"""Number of confused pairs that are listed."""


def confusion(contents: Contents) -> str:
    """Return the matrix; nothing where there is none."""
    counts_KK = contents.chosen.confusion
    if counts_KK is None:
        return ""
    classes = contents.images.classes
    matrix = _table(counts_KK, classes) if len(classes) <= TABLE else _canvas(len(classes))
    how = "Rows are true classes, columns predicted ones; the darker, the larger its share of the row."
    again = _again(contents)
    return (
        f'<p class="lead">{how} A cell shows its pictures below.{again}</p>'
        f'<div class="confusion"><div class="scroll">{matrix}</div>{_pairs(counts_KK, classes)}</div>'
    )


def confusion_data(contents: Contents) -> dict[str, Any] | None:
    """Return the cells that are not 0, for the script; None where there is no matrix."""
    counts_KK = contents.chosen.confusion
    if counts_KK is None:
        return None
    rows, columns = np.nonzero(counts_KK)
    cells = {"rows": packed(rows, "uint16"), "columns": packed(columns, "uint16")}
    return {**cells, "counts": packed(counts_KK[rows, columns], "uint32"), "isTable": len(counts_KK) <= TABLE}


def _again(contents: Contents) -> str:
    tests, images = contents.tests, len(contents.tested.rows)
    said = f" It counts {tests:,} tests of {images:,} images, of which pictures show the first."
    return said if contents.is_repeated else ""


def _table(counts_KK: np.ndarray, classes: Sequence[str]) -> str:
    names = [escape(name, quote=True) for name in classes]
    totals = counts_KK.sum(axis=1)
    head = "".join(f'<th scope="col" title="{name}"><span><bdi>{name}</bdi></span></th>' for name in names)
    rows = "".join(
        f'<tr><th scope="row" title="{names[row]}"><bdi>{names[row]}</bdi></th>'
        + "".join(_cell((row, column), count, int(totals[row]), names) for column, count in enumerate(counts))
        + "</tr>"
        for row, counts in enumerate(counts_KK.tolist())
    )
    few = " few" if len(names) <= 12 else ""
    corner = '<td class="corner">true ↓ taken for →</td>'
    return f'<table id="matrix" class="matrix{few}"><thead><tr>{corner}{head}</tr></thead><tbody>{rows}</tbody></table>'


def _cell(place: tuple[int, int], count: int, total: int, names: Sequence[str]) -> str:
    row, column = place
    if not count:
        return f"<td{' class=diagonal' if row == column else ''}></td>"
    shade = max(1, round(SHADES * (count / total) ** 0.5))
    kind = "diagonal" if row == column else "off"
    words = f"{count} of {total} {names[row]} taken for {names[column]}"
    return (
        f'<td class="{kind} s{shade}"><button type="button" tabindex="-1" data-true="{row}" data-taken="{column}" '
        f'data-tip="{words}" aria-label="{words}">{count}</button></td>'
    )


def _canvas(classes: int) -> str:
    label = f"confusion matrix of {classes:,} classes; arrow keys move among its cells, Enter shows the pictures of one"
    canvas = f'<canvas id="matrix" class="matrix" tabindex="0" role="img" aria-label="{label}"></canvas>'
    return f'{canvas}<p id="cell" class="note" aria-live="polite"></p>'


def _pairs(counts_KK: np.ndarray, classes: Sequence[str]) -> str:
    off_KK = counts_KK.copy()
    np.fill_diagonal(off_KK, 0)
    totals = np.maximum(counts_KK.sum(axis=1), 1)
    flat = np.argsort(-off_KK, axis=None, kind="stable")[:PAIRS]
    pairs = [divmod(int(place), len(classes)) for place in flat]
    items = "".join(
        f'<li><button type="button" data-true="{row}" data-taken="{column}"><bdi>{escape(classes[row])}</bdi> '
        f'<span class="arrow" aria-label="taken for">→</span> <bdi>{escape(classes[column])}</bdi></button>'
        f'<span class="number">{off_KK[row, column]:,} of {totals[row]:,}</span></li>'
        for row, column in pairs
        if off_KK[row, column]
    )
    return (
        f'<div class="pairs"><h3>Confused most</h3><ol>{items}</ol></div>'
        if items
        else '<div class="pairs"><p>No mistakes.</p></div>'
    )
