"""Python pickles that strangers made, read as plain data: nothing in them can be executed."""

import io
import pickle
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from offshelf.errors import DatasetError

PLAIN = re.compile(r"[biuf][1248]")
"""Types of NumPy's numbers; not objects, not records, not text."""


def read_pickle(path: Path) -> Any:
    """The dicts, lists, tuples, strings, bytes and numbers in a pickle; NumPy's arrays become nested lists.

    A pickle is a program that may call any function by its name. Here it finds none but the few that make arrays of
    numbers and bytes, and these are stand-ins.

    Raises:
        DatasetError: it is missing or damaged, or asks for anything else.
    """
    try:
        # Python 2's strings are bytes; the published files' are ASCII, save raw numbers, which Latin-1 keeps.
        return _Reader(io.BytesIO(path.read_bytes()), encoding="latin1").load()
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}; the copy is incomplete.") from error
    except _Refused as error:
        raise DatasetError(f"{path} is not read: {error}, and a list of images has no need of that.") from error
    except Exception as error:  # whatever damaged bytes lead pickle to
        reason = " ".join(str(error).split())
        raise DatasetError(f"{path} is no pickle of plain data, or is damaged: {reason}.") from error


class _Refused(pickle.UnpicklingError):
    """More than plain data."""


class _Reader(pickle.Unpickler):
    """An unpickler without the world."""

    def find_class(self, module: str, name: str) -> Any:
        """A stand-in. Raises _Refused for everything that is not needed."""
        # NumPy 2 has renamed its modules.
        known = STAND_INS.get((module.replace("numpy._core", "numpy.core"), name))
        if known is None:
            raise _Refused(f"it would call {module}.{name}")
        return known

    def persistent_load(self, name: Any) -> Any:
        """Raises _Refused."""
        raise _Refused(f"it would load {name!r} from elsewhere")


class _Function:
    """Can be called, and nothing else: its state cannot be set."""

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
    """An array, as NumPy writes it with pickle's newest protocol."""
    array = _Array()
    array.__setstate__((1, shape, kind, order == "F", raw))
    return array


def _scalar(kind: _Type, raw: bytes | str) -> Any:
    return np.frombuffer(_raw(raw), kind.numbers)[0].item()


def _raw(data: bytes | str) -> bytes:
    return data.encode("latin1") if isinstance(data, str) else data


def _encode(text: str, encoding: str) -> bytes:
    """Bytes, as Python 3 writes them for Python 2 (empty ones as a call of `bytes`)."""
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
