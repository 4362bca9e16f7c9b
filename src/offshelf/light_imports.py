"""Importing scikit-learn and MLflow without what they import, rarely use, and spend most of the time on."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import Any


def import_sklearn() -> None:
    """Import what runs need of scikit-learn, without parts of SciPy, which are imported once something of them is used.

    Only scikit-learn's own imports are affected: for everything else `import scipy.stats` and `import pandas` do what
    they always do.
    """
    wanted = [f"sklearn.{part}" for part in ("base", "datasets", "metrics", "model_selection", "preprocessing")]
    later = ["scipy.integrate", "scipy.interpolate", "scipy.optimize", "scipy.stats"]
    _import_without(wanted, later, absent=["pandas"])


def import_mlflow() -> None:
    """Import what sending runs needs of MLflow, as if some of its optional dependencies were not installed."""
    wanted = ["mlflow.tracking", "mlflow.store.tracking.sqlalchemy_store"]
    _import_without(wanted, ["fastapi"], absent=["pandas", "pyarrow", "pygments", "scipy"])


def _import_without(wanted: Sequence[str], later: Sequence[str], absent: Sequence[str]) -> None:
    """Import modules; a release that cannot be imported without the others is imported as usual, when it is needed."""
    package = wanted[0].partition(".")[0]
    if package in sys.modules:
        return
    try:
        with _stand_ins({name: _Later(name) for name in later} | dict.fromkeys(absent)):
            for name in wanted:
                import_module(name)
    except Exception:
        for name in [name for name in sys.modules if name.partition(".")[0] == package]:
            del sys.modules[name]


@contextmanager
def _stand_ins(found: dict[str, Any]) -> Iterator[None]:
    """Let modules that are imported in the block find these for those that are not imported yet; None for no module."""
    new = {name: module for name, module in found.items() if name not in sys.modules}
    sys.modules.update(new)
    try:
        yield
    finally:
        for name in new:
            sys.modules.pop(name, None)


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
