"""Labels of a table that are several: in as many columns, or in one cell without saying so."""

from collections.abc import Sequence

from offshelf.dataset.table import Table, at
from offshelf.errors import DatasetError
from offshelf.names import listed

Target = int | tuple[int, ...] | float

YES, NO = ("1", "1.0", "true", "yes", "y", "t"), ("0", "0.0", "false", "no", "n", "f")
MINUS = ("-1", "-1.0")
UNKNOWN = ("", "nan", "na", "none", "null", "?")
SIGNS = ("|", ";", ",")


def read_label_columns(table: Table, names: Sequence[str]) -> tuple[tuple[str, ...], list[Target]]:
    """Return the names of the label columns, and the targets of each line: 1, -1 or 0 (not counted), see Sample.

    1, true and yes are present, 0, false and no absent, and an empty cell does not count. -1 is absent where no column
    has a 0, and else uncertain, as in CheXpert, so that it does not count.

    Raises:
        DatasetError: A cell is none of these, or a label is never present.
    """
    keys = [f"label {number}" for number in range(len(names))]
    cells = [(number, [line[key].casefold() for key in keys]) for number, line in table.lines]
    has_zero = any(cell in NO for _, row in cells for cell in row)
    value = {**dict.fromkeys(YES, 1), **dict.fromkeys(NO, -1), **dict.fromkeys(UNKNOWN, 0)}
    value |= dict.fromkeys(MINUS, 0 if has_zero else -1)
    odd = [(number, cell) for number, row in cells for cell in row if cell not in value]
    if odd:
        where = at(table.file, sorted({number for number, _ in odd}))
        raise DatasetError(
            f"{where}: columns of labels hold 1 and 0, or nothing where it is unknown; got '{odd[0][1]}'."
        )
    targets = [tuple(value[cell] for cell in row) for _, row in cells]
    never = [name for name, column in zip(names, zip(*targets, strict=True), strict=True) if 1 not in column]
    if never:
        raise DatasetError(
            f"{table.file}: no image has the label {listed(never)}; leave it out of dataset.columns.label."
        )
    for (_, line), target in zip(table.lines, targets, strict=True):
        line["label"] = ", ".join(name for name, one in zip(names, target, strict=True) if one > 0)
    return tuple(names), list(targets)


def question_several(table: Table) -> None:
    """Raise DatasetError if cells look like several labels: `a|b`, `a;b`, a list; or `a, b` if both are labels too."""
    cells = [(number, line["label"]) for number, line in table.lines]
    lists = [(number, cell) for number, cell in cells if cell[:1] == "[" and cell[-1:] == "]"]
    if lists:
        number, cell = lists[0]
        raise DatasetError(
            f"{at(table.file, [number])}: the label {cell} looks like a list. Write several labels with a sign between "
            "them, a;b, and name it: 'dataset.separator=\";\"'; if it is one label, say so: dataset.separator=none"
        )
    for sign in SIGNS:
        found = [(number, cell) for number, cell in cells if len(_parts(cell, sign)) > 1]
        if found and (sign != "," or _are_labels(found, {cell for _, cell in cells}, sign)):
            raise DatasetError(
                f"{at(table.file, [number for number, _ in found])}: the label '{found[0][1]}' may be several. If so, "
                f"'dataset.separator=\"{sign}\"'; if each cell is one label, dataset.separator=none"
            )


def _parts(cell: str, sign: str) -> list[str]:
    return [part.strip() for part in cell.split(sign) if part.strip()]


def _are_labels(found: Sequence[tuple[int, str]], whole: set[str], sign: str) -> bool:
    """Return whether all parts of a cell are labels by themselves, in any of the cells."""
    return any(set(_parts(cell, sign)) <= whole for _, cell in found)
