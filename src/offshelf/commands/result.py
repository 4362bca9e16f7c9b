"""What a command returns: the exit code, and its result as data."""

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from offshelf.secret import masked


@dataclass(frozen=True)
class CommandResult:
    """The result of a command, for programs; what people read is printed by the command itself."""

    data: Any = None
    """Mappings, sequences, dataclasses, objects with `to_dict`, texts and numbers, nested at will."""
    code: int = 0
    """The exit code."""

    def json(self) -> str:
        """Return the data as one JSON document with a line end, without secrets; NaN and infinities are null."""
        return json.dumps(masked(as_data(self.data)), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def as_data(value: Any) -> Any:
    """Return a value as JSON's types.

    Raises:
        TypeError: a value has no such form.
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if hasattr(value, "to_dict"):
        return as_data(value.to_dict())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: as_data(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): as_data(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [as_data(one) for one in value]
    if isinstance(value, Path | date):
        return str(value)
    if hasattr(value, "tolist"):  # of NumPy
        return as_data(value.tolist())
    raise TypeError(f"{type(value).__name__} has no form in JSON.")
