"""Digests that identify things by all of their fields, so that no setting can be forgotten."""

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from typing_extensions import override

from offshelf.lazy import Lazy


def digest(thing: Any) -> str:
    """Return the SHA-256, in hexadecimal, of the canonical JSON of a spec.

    A spec is a dataclass, mapping, sequence, string, number, boolean or None, with any nesting. A dataclass is
    identified by its class name and every field, except fields declared with ``metadata={"identity": False}``: those
    that must not change a result, such as paths and workers.

    Raises:
        TypeError: A part of the spec has no canonical form.
    """
    text = json.dumps(_canonical(thing), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def file_digest(path: Path) -> str:
    """Return the SHA-256, in hexadecimal, of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def array_digest(values: np.ndarray) -> str:
    """Return the SHA-256, in hexadecimal, of an array's dtype, shape and contents."""
    state = hashlib.sha256(f"{values.dtype.str}{values.shape}".encode())
    state.update(np.ascontiguousarray(values).data)
    return state.hexdigest()


class Digests(Lazy[str]):
    """A sequence of hexadecimal digests stored as bytes, in a quarter of the memory of strings."""

    def __init__(self, rows_N32: np.ndarray) -> None:
        """Take SHA-256 digests, uint8 [N, 32]."""
        self.rows_N32 = rows_N32

    def __len__(self) -> int:
        return len(self.rows_N32)

    @override
    def make(self, row: int) -> str:
        return str(self.rows_N32[row].tobytes().hex())


def _canonical(thing: Any) -> Any:
    if dataclasses.is_dataclass(thing) and not isinstance(thing, type):
        fields = {
            field.name: _canonical(getattr(thing, field.name))
            for field in dataclasses.fields(thing)
            if field.metadata.get("identity", True)
        }
        return {"": type(thing).__name__, **fields}
    if isinstance(thing, dict):
        return {str(key): _canonical(value) for key, value in thing.items()}
    if isinstance(thing, list | tuple | Digests):
        return [_canonical(item) for item in thing]
    if thing is None or isinstance(thing, bool | int | float | str):
        return thing
    raise TypeError(f"No canonical form for {thing!r} of type {type(thing).__name__}.")
