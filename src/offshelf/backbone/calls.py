"""What code of the user's hands to others while something is built: paths, and calls that cannot be looked into."""

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
    """Tell of what calls from code of the user's hand over, in this thread.

    Args:
        path: Called with texts and paths among the arguments of Python functions, and among the variables of code that
            calls compiled functions.
        unseen: Called where a compiled function is called that may read whatever it likes: one of a package beyond
            Python's own, PyTorch and NumPy. Where another profiler is at work, nothing can be told of calls.
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
    """The top-level package of a compiled function, of a method that of its type; empty where it does not say."""
    owner = getattr(function, "__self__", None)
    if isinstance(owner, ModuleType):
        name: Any = owner.__name__
    else:
        of = type(owner) if owner is not None else getattr(function, "__objclass__", None)
        name = getattr(function, "__module__", None) or getattr(of, "__module__", "")
    return str(name).partition(".")[0]


@lru_cache
def _is_known(package: str) -> bool:
    """Whether what its compiled functions read is seen, or nothing."""
    return package in OURS or package in sys.stdlib_module_names


@lru_cache
def _is_users(name: str) -> bool:
    return not name.startswith("<") and is_users(Path(name))
