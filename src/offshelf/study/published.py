"""Published numbers: `published.csv`, with a line per method, in percent."""

import csv
import math
from collections.abc import Mapping
from pathlib import Path

from offshelf.errors import ConfigError

PublishedNumbers = Mapping[str, Mapping[str, float | None]]
"""Percentages by method and column; None where nothing was reported."""


def read_published(path: Path) -> PublishedNumbers:
    """Read the table; empty cells and `-` mean that nothing was reported. Without a file, return an empty mapping.

    Raises:
        ConfigError: the file is malformed; the line is named.
    """
    if not path.exists():
        return {}
    try:
        header, *lines = csv.reader(path.read_text(encoding="utf-8").splitlines())
    except (OSError, UnicodeDecodeError, ValueError, csv.Error) as error:
        raise ConfigError(f"{path} is not a table: {error}.") from error
    if not header or header[0] != "method":
        raise ConfigError(f"{path}: the first column is called 'method'; got '{header[0] if header else ''}'.")
    found: dict[str, dict[str, float | None]] = {}
    for number, cells in enumerate(lines, 2):
        if len(cells) != len(header):
            raise ConfigError(f"{path}, line {number}: {len(header)} cells are expected; got {len(cells)}.")
        if cells[0] in found:
            raise ConfigError(f"{path}, line {number}: the method '{cells[0]}' occurs twice.")
        found[cells[0]] = {
            name: _number(cell, f"{path}, line {number}, {name}")
            for name, cell in zip(header[1:], cells[1:], strict=True)
        }
    return found


def _number(cell: str, place: str) -> float | None:
    if cell.strip() in ("", "-"):
        return None
    try:
        number = float(cell)
    except ValueError:
        number = math.nan
    if not 0 <= number <= 100:
        raise ConfigError(f"{place}: a number in percent is expected; got '{cell}'.")
    return number
