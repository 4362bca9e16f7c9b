"""Observation of what user code passes to other code while something is built: paths, and opaque calls."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from os import PathLike, fspath
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

from offshelf.backbone.sources import OURS, is_users

LONGEST_PATH = 4096
"""Characters."""

Profile = Callable[[FrameType, str, Any], None]


@contextmanager
def listening(path: Callable[[str], None], unseen: Callable[[], None]) -> Iterator[None]:
    """Report what calls from user code pass on, in this thread.

    Args:
        path: Called with strings and paths among the arguments of Python functions, and among the variables of code
            that calls compiled functions.
        unseen: Called for a compiled function that may read anything: one of a package other than Python's own, PyTorch
            and NumPy. It is also called if another profiler is active, as calls cannot be observed then.
    """
    seen = set[str]()

    def look(values: Any) -> None:
        for value in values:
            if isinstance(value, str | PathLike):
                text = fspath(value)
                if isinstance(text, str) and 0 < len(text) <= LONGEST_PATH and "\0" not in text and text not in seen:
                    seen.add(text)
                    path(text)

    def profile(frame: FrameType, event: str, function: Any) -> None:
        if event == "c_call" and _is_users(frame.f_code.co_filename):
            look(list(frame.f_locals.values()))
            if not _is_known(_home(function)):
                unseen()
        elif event == "call" and frame.f_back and _is_users(frame.f_back.f_code.co_filename):
            look(list(frame.f_locals.values()))

    if sys.getprofile() is not None:
        unseen()
        yield
        return
    sys.setprofile(profile)
    try:
        yield
    finally:
        sys.setprofile(None)


def _home(function: Any) -> str:
    """Return the top-level package of a compiled function, or of a method's type; empty if unknown."""
    owner = getattr(function, "__self__", None)
    if isinstance(owner, ModuleType):
        name: Any = owner.__name__
    else:
        of = type(owner) if owner is not None else getattr(function, "__objclass__", None)
        name = getattr(function, "__module__", None) or getattr(of, "__module__", "")
    return str(name).partition(".")[0]


@lru_cache
def _is_known(package: str) -> bool:
    """Return whether everything that the package's compiled functions read is observed, or they read nothing."""
    return package in OURS or package in sys.stdlib_module_names


@lru_cache
def _is_users(name: str) -> bool:
    return not name.startswith("<") and is_users(Path(name))
