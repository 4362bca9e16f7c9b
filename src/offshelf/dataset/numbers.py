"""Labels that are numbers: an age, a count, a score."""

import math
from collections.abc import Sequence
from typing import Any

from offshelf.dataset.table import Table, at
from offshelf.errors import ConfigError, DatasetError
from offshelf.suggest import did_you_mean

TARGETS = ("class", "number")


def require_target(target: str, separator: str | None = None) -> None:
    """Raise ConfigError for another kind of labels, and for numbers with a separator."""
    if target not in TARGETS:
        raise ConfigError(f"dataset.target must be class or number; got '{target}'{did_you_mean(target, TARGETS)}")
    if target == "number" and separator is not None:
        raise ConfigError("dataset.target=number takes one number per image; set dataset.separator=null.")


def read_numbers(table: Table) -> list[float]:
    """Return the number of each line.

    Raises:
        DatasetError: labels are missing or no finite numbers, or all are equal.
    """
    numbers = [number_in(line["label"]) for _, line in table.lines]
    odd = [line for line, number in zip(table.lines, numbers, strict=True) if number is None]
    if odd:
        comma = "; decimals are written 3.5" if "," in odd[0][1]["label"] else ""
        raise DatasetError(
            f"{at(table.file, [number for number, _ in odd])}: with dataset.target=number a label is a number; got "
            f"'{odd[0][1]['label']}'{comma}."
        )
    known = [number for number in numbers if number is not None]
    require_different(known, str(table.file))
    return known


def number_in(label: Any) -> float | None:
    """Return a label as a number; None if it is none, or not finite."""
    if isinstance(label, bool) or (isinstance(label, str) and "_" in label):
        return None
    try:
        number = float(label)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def require_different(numbers: Sequence[float], name: str) -> None:
    """Raise DatasetError if all numbers are equal."""
    if len(set(numbers)) < 2:
        raise DatasetError(f"{name} needs two or more different numbers; all are {numbers[0]:g}.")
