"""Files that a table lists more than once."""

import os
from collections.abc import Sequence

from offshelf.dataset.image import PixelBox
from offshelf.dataset.labels import Target
from offshelf.dataset.table import BOX, Line, Table, at
from offshelf.errors import DatasetError
from offshelf.names import listed
from offshelf.remote import is_url


def question_repeats(
    table: Table, boxes: Sequence[PixelBox | None], targets: Sequence[Target], separator: str | None
) -> list[str]:
    """Return remarks on files that are listed more than once. Raises DatasetError if their labels differ."""
    first: dict[tuple[str, PixelBox | None], int] = {}
    again: list[tuple[int, dict[str, str], Line]] = []
    odd: list[tuple[int, dict[str, str], Line]] = []
    for row, ((number, line), box) in enumerate(zip(table.lines, boxes, strict=True)):
        earlier = first.setdefault((_same(line["path"]), box), row)
        if earlier != row:
            (again if targets[earlier] == targets[row] else odd).append((number, line, table.lines[earlier]))
    if odd:
        _, line, (where, before) = odd[0]
        way = "" if separator else "; if an image has several labels, list them in one cell: dataset.separator=';'"
        raise DatasetError(
            f"{at(table.file, [number for number, _, _ in odd])}: the same file as in another line, another label; "
            f"{line['path']} is '{line['label']}' here, '{before['label']}' in line {where}. Remove one of them{way}."
        )
    lines = [str(number) for number, _, _ in again]
    return [f"{len(lines):,} line(s) repeat file and label of an earlier one: {listed(lines)}."] if lines else []


def in_both(table: Table, parts: Sequence[str]) -> list[str]:
    """Return a remark on files in both parts with different boxes; equal boxes are counted as leaks."""
    if not table.has >= set(BOX):
        return []
    named = [(_same(line["path"]), part) for (_, line), part in zip(table.lines, parts, strict=True)]
    both = {path for path, part in named if part == "test"} & {path for path, part in named if part == "train"}
    return [f"{len(both):,} file(s) are in both parts, with different boxes: {listed(sorted(both))}."] if both else []


def _same(path: str) -> str:
    """Return what is equal for two ways to write a path."""
    return path if is_url(path) else os.path.normpath(path)
