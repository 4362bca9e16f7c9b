"""The boxes of a table. All of them are checked before any work, and errors name their lines."""

import math
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from offshelf.dataset.image import PixelBox
from offshelf.dataset.location import Location
from offshelf.dataset.size import upright_size
from offshelf.dataset.table import BOX, Table, at
from offshelf.errors import ConfigError, DatasetError

ROUNDING = 0.01
"""Tolerance of fractions outside 0 and 1."""
UNITS = ("auto", "pixels", "fractions")


def require_units(units: str) -> None:
    """Raise ConfigError for unknown units."""
    if units not in UNITS:
        raise ConfigError(f"dataset.boxes must be one of {', '.join(UNITS)}; got '{units}'.")


def read_boxes(table: Table, paths: Sequence[Location], units: str) -> tuple[list[PixelBox | None], list[str]]:
    """Return the box of each line in pixels, None if it has none, and remarks.

    With `auto`, boxes are fractions if all of them are within 0 and 1.

    Raises:
        DatasetError: Boxes are not four numbers, or implausible: without area, outside their image, or fractions among
            pixels. The message names all their lines.
    """
    if not table.has >= set(BOX):
        return [None] * len(table.lines), []
    edges_N4 = np.array([_edges(cells) for _, cells in table.lines], np.float64).reshape(-1, 4)
    has_N = ~np.isnan(edges_N4).all(axis=1)
    rows = np.flatnonzero(has_N)
    if not len(rows):
        return [None] * len(table.lines), []
    boxes = edges_N4[rows]
    _refuse(table, rows[~np.isfinite(boxes).all(axis=1)], "is not four numbers")
    no_area = (boxes[:, 0] >= boxes[:, 2]) | (boxes[:, 1] >= boxes[:, 3])
    _refuse(table, rows[no_area], "has no area: it is x1,y1,x2,y2, two corners, x1 below x2 and y1 below y2")
    is_small = ((boxes >= -ROUNDING) & (boxes <= 1 + ROUNDING)).all(axis=1)
    are_fractions = units == "fractions" or (units == "auto" and bool(is_small.all()))
    if are_fractions:
        _refuse(table, rows[~is_small], "is not within 0 and 1 (dataset.boxes=fractions)")
    elif units == "auto":
        why = "is within 0 and 1 among boxes in pixels; set the units: dataset.boxes=pixels, or fractions"
        _refuse(table, rows[is_small], why)
    sizes = _sizes([paths[row] for row in rows.tolist()])
    if are_fractions:
        boxes = boxes.clip(0, 1) * np.tile(np.where(np.isnan(sizes), 1, sizes), 2)
    found: list[PixelBox | None] = [None] * len(table.lines)
    for row, (x1, y1, x2, y2) in zip(rows.tolist(), boxes.tolist(), strict=True):
        found[row] = (x1, y1, x2, y2)
    return found, list(_remarks(table, rows, boxes, sizes, are_fractions))


def _remarks(
    table: Table, rows: np.ndarray, boxes: np.ndarray, sizes: np.ndarray, are_fractions: bool
) -> Iterator[str]:
    """Compare boxes with their images. Raises DatasetError if one is outside its image."""
    known = ~np.isnan(sizes).any(axis=1)  # unreadable images are reported elsewhere
    low, high = np.maximum(np.round(boxes[:, :2]), 0), np.fmin(np.round(boxes[:, 2:]), sizes)
    is_empty = known & (low >= high).any(axis=1)
    _refuse(table, rows[is_empty], "has no pixel of its image", sizes[is_empty])
    if are_fractions:
        yield "Boxes are fractions of the image's width and height."
    beyond = int((known & ((boxes[:, :2] < -0.5) | (boxes[:, 2:] > sizes + 0.5)).any(axis=1)).sum())
    if beyond:
        yield f"{beyond:,} of {len(rows):,} boxes reach beyond their image and are cut to it."
    without = len(table.lines) - len(rows)
    if without:
        yield f"{without:,} line(s) have no box; their whole images are used."


def _edges(cells: Mapping[str, str]) -> list[float]:
    """Return the numbers of a box: all NaN if the cells are empty, infinite for a cell that is not a number."""
    texts = [cells[name] for name in BOX]
    if all(text.casefold() in ("", "nan") for text in texts):
        return [math.nan] * 4
    try:
        numbers = [float(text) for text in texts]
    except ValueError:
        return [math.inf] * 4
    return numbers if all(map(math.isfinite, numbers)) else [math.inf] * 4


def _refuse(table: Table, rows: np.ndarray, why: str, sizes: np.ndarray | None = None) -> None:
    if not len(rows):
        return
    lines = [table.lines[row] for row in rows.tolist()]
    first = ",".join(lines[0][1][name] for name in BOX)
    of = f", {sizes[0][0]:.0f} x {sizes[0][1]:.0f}" if sizes is not None else ""
    more = ", and so are the others" if len(rows) > 1 else ""
    raise DatasetError(f"{at(table.file, [number for number, _ in lines])}: the box {first} {why}{of}{more}.")


def _sizes(paths: Sequence[Location]) -> np.ndarray:
    """Return width and height of each image, upright, float64 [N, 2]; NaN if it cannot be read."""
    names = list(dict.fromkeys(paths))
    with ThreadPoolExecutor(8) as pool:
        known = dict(zip(names, pool.map(upright_size, names), strict=True))
    return np.array([known[path] or (math.nan, math.nan) for path in paths], np.float64)
