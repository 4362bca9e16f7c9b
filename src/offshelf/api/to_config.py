"""Components as a config describes them, for the record of a run."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from importlib import import_module
from pathlib import Path
from typing import Any


class _UnknownError(Exception):
    """A component has no form in a config."""


def described(component: Any) -> dict[str, Any] | None:
    """Return the part of a config that makes an equal component; None where there is no such text.

    A data set in memory and a network that was given as an object have none: their run cannot be repeated from its
    record.
    """
    try:
        node: dict[str, Any] = _node(component)
    except _UnknownError:
        return None
    return node


def _node(thing: Any) -> Any:
    if thing is None or isinstance(thing, bool | int | float | str):
        return thing
    if isinstance(thing, Path):
        return str(thing)
    if isinstance(thing, Mapping):
        return {str(key): _node(value) for key, value in thing.items()}
    if isinstance(thing, tuple | list):
        return [_node(value) for value in thing]
    if not is_dataclass(thing) or isinstance(thing, type):
        raise _UnknownError
    values = {one.name: getattr(thing, one.name) for one in fields(thing) if one.init and one.name[0] != "_"}
    return {"_target_": _target(type(thing)), **{name: _node(value) for name, value in values.items()}}


def _target(kind: type) -> str:
    """Return the public name of a component's class."""
    package = ".".join(kind.__module__.split(".")[:2])
    public = getattr(import_module(package), "__all__", ()) if package.startswith("offshelf.") else ()
    if kind.__name__ not in public:
        raise _UnknownError
    return f"{package}.{kind.__name__}"
