"""Importing scikit-learn without what takes most of the time and is rarely used: parts of SciPy, and pandas."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any

LATER = ("scipy.integrate", "scipy.interpolate", "scipy.optimize", "scipy.stats")
"""Parts of SciPy that scikit-learn imports, and that runs do without."""

PARTS = ("base", "datasets", "metrics", "model_selection", "preprocessing")
"""Packages of scikit-learn that runs import."""


def import_sklearn() -> None:
    """Import scikit-learn; the parts of SciPy are imported once scikit-learn uses something of them.

    Only scikit-learn's own imports are affected: for everything else `import scipy.stats` and `import pandas` do what
    they always do. A release of scikit-learn that cannot be imported in this way is imported as usual.
    """
    if "sklearn" in sys.modules:
        return
    before = set(sys.modules)
    try:
        with _stand_ins():
            for part in PARTS:
                import_module(f"sklearn.{part}")
    except Exception:  # another release may use at once what is not there yet
        for name in set(sys.modules) - before:
            if name.startswith("sklearn"):
                del sys.modules[name]


@contextmanager
def _stand_ins() -> Iterator[None]:
    """Let modules that are imported in the block find stand-ins for parts of SciPy, and no pandas."""
    found: dict[str, Any] = {name: _Later(name) for name in LATER} | {"pandas": None}
    new = {name: module for name, module in found.items() if name not in sys.modules}
    sys.modules.update(new)
    try:
        yield
    finally:
        for name in new:
            del sys.modules[name]


class _Later(ModuleType):
    """A module that is imported when something of it is used."""

    def __getattr__(self, name: str) -> Any:
        """Return what the module has; while it stands in for the module, what stands in for that."""
        if name.startswith("__"):
            raise AttributeError(name)
        return _LaterName(self.__name__, name) if sys.modules.get(self.__name__) is self else _get(self.__name__, name)


class _LaterName:
    """A function or class of a module, which is imported on a call or when an attribute is asked for."""

    def __init__(self, module: str, name: str) -> None:
        self._place = (module, name)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return _get(*self._place)(*arguments, **named)

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the function or class."""
        return getattr(_get(*self._place), name)


def _get(module: str, name: str) -> Any:
    return getattr(import_module(module), name)
