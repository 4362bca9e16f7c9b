"""Reading of untrusted Python pickles as plain data, without executing anything."""

import io
import pickle
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from offshelf.errors import DatasetError

PLAIN = re.compile(r"[biuf][1248]")
"""Types of NumPy's numbers, except objects, records and strings."""


def read_pickle(path: Path) -> Any:
    """Read dicts, lists, tuples, strings, bytes and numbers from a pickle; NumPy's arrays become nested lists.

    A pickle is a program that may call any function by its name. Here it finds only the few that make arrays of numbers
    and bytes, and these are stand-ins.

    Raises:
        DatasetError: The file is missing or damaged, or requests anything else.
    """
    try:
        # Python 2's strings are bytes; the published files' are ASCII, except raw numbers, which Latin-1 preserves.
        return _Reader(io.BytesIO(path.read_bytes()), encoding="latin1").load()
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}; the copy is incomplete.") from error
    except _Refused as error:
        raise DatasetError(f"{path} is rejected: {error}, which a list of images does not need.") from error
    except Exception as error:  # pickle raises all kinds on damaged bytes
        reason = " ".join(str(error).split())
        raise DatasetError(f"{path} is not a pickle of plain data, or is damaged: {reason}.") from error


class _Refused(pickle.UnpicklingError):
    """A pickle requests more than plain data."""


class _Reader(pickle.Unpickler):
    """An unpickler that finds stand-ins only."""

    def find_class(self, module: str, name: str) -> Any:
        """Return a stand-in. Raises _Refused for everything else."""
        # NumPy 2 has renamed its modules.
        known = STAND_INS.get((module.replace("numpy._core", "numpy.core"), name))
        if known is None:
            raise _Refused(f"it would call {module}.{name}")
        return known

    def persistent_load(self, name: Any) -> Any:
        """Raise _Refused."""
        raise _Refused(f"it would load {name!r} from elsewhere")


class _Function:
    """A stand-in that can be called, but whose state cannot be set."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)

    def __setstate__(self, state: Any) -> None:
        raise _Refused("it would change a function")


class _Type:
    """A NumPy type of numbers."""

    __slots__ = ("numbers",)

    def __init__(self, name: str) -> None:
        if not isinstance(name, str) or not PLAIN.fullmatch(name):
            raise _Refused(f"it holds an array of {name!r}")
        self.numbers = np.dtype(name)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.numbers = self.numbers.newbyteorder(state[1])


class _Array(list[Any]):
    """An array as nested lists, filled by its state."""

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, kind, by_columns, raw = state
        values = np.frombuffer(_raw(raw), kind.numbers).reshape(shape, order="F" if by_columns else "C")
        self[:] = np.atleast_1d(values).tolist()


def _from_buffer(raw: bytes, kind: _Type, shape: tuple[int, ...], order: str) -> Any:
    """Make an array from NumPy's form in pickle's newest protocol."""
    array = _Array()
    array.__setstate__((1, shape, kind, order == "F", raw))
    return array


def _scalar(kind: _Type, raw: bytes | str) -> Any:
    return np.frombuffer(_raw(raw), kind.numbers)[0].item()


def _raw(data: bytes | str) -> bytes:
    return data.encode("latin1") if isinstance(data, str) else data


def _encode(text: str, encoding: str) -> bytes:
    """Return bytes, in the form that Python 3 writes for Python 2 (empty ones as a call of `bytes`)."""
    if encoding != "latin1":
        raise _Refused(f"it would convert text to {encoding}")
    return text.encode("latin1")


STAND_INS: Mapping[tuple[str, str], Any] = {
    ("numpy", "dtype"): _Function(lambda name, *_: _Type(name)),
    ("numpy", "ndarray"): "ndarray",
    ("numpy.core.multiarray", "_reconstruct"): _Function(lambda *_: _Array()),
    ("numpy.core.multiarray", "scalar"): _Function(_scalar),
    ("numpy.core.numeric", "_frombuffer"): _Function(_from_buffer),
    ("__builtin__", "bytes"): _Function(lambda: b""),
    ("_codecs", "encode"): _Function(_encode),
}
