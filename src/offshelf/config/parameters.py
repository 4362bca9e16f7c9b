"""Parameters of what a config names: which there are, and what fits them by their annotations."""

import functools
import inspect
import math
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from offshelf.errors import ConfigError
from offshelf.suggest import did_you_mean

MISSING = "???"
"""Stands in a config for a value that has to be given."""

UNKNOWN = object()
"""Stands for a value that only a running Hydra knows."""

LARGEST_SEED = 2**32 - 1
"""NumPy's and scikit-learn's."""

LARGEST_INTEGER = 2**63 - 1

PATH_KEYS = ("home", "data_dir", "root", "path")
"""Keys of files and folders; an empty one would be the working folder, and what is below it the system's root."""

SHOWN_CHARACTERS = 80
"""Letters of a wrong value that are shown."""

TYPE_NAMES: Mapping[Any, str] = {
    str: "a text",
    Path: "a path",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    NoneType: "null",
}
"""Simple types, as a person calls them."""


@functools.cache
def parameters(target: str) -> Mapping[str, inspect.Parameter]:
    """Return the parameters of a component by name; this imports only specs, which are cheap.

    Raises:
        ConfigError: there is no such component.
    """
    try:
        found = _found(target)
        try:
            return inspect.signature(found, eval_str=True).parameters
        except NameError:  # an annotation for type checkers alone
            return inspect.signature(found).parameters
    except Exception as error:
        raise ConfigError(f"The target '{target}' cannot be found: {' '.join(str(error).split())}") from error


def _found(target: str) -> Any:
    top, *parts = target.split(".")
    path, found = top, import_module(top)
    for part in parts:
        path = f"{path}.{part}"
        if not hasattr(found, part):  # a name of a package goes before a module of it
            import_module(path)
        found = getattr(found, part)
    return found


def takes_any(known: Mapping[str, inspect.Parameter]) -> bool:
    """Return whether a component takes any keyword, and so checks its keys itself when it is made."""
    return any(one.kind is inspect.Parameter.VAR_KEYWORD for one in known.values())


def annotation(known: Mapping[str, inspect.Parameter], key: str) -> Any:
    """Return the annotation of the parameter that takes a key; Any if no parameter does, or it has none."""
    any_other = [one for one in known.values() if one.kind is inspect.Parameter.VAR_KEYWORD]
    found = known.get(key) or (any_other[0] if any_other else None)
    return Any if found is None or found.annotation is inspect.Parameter.empty else found.annotation


def require_parameters(place: str, node: Any) -> None:
    """Refuse keys of offshelf's components that no parameter takes, and values that do not fit theirs.

    Args:
        place: Where the node is in the config.
        node: A resolved part of a config.

    Raises:
        ConfigError: the key and the nearest parameter, or the value and what is expected.
    """
    if isinstance(node, list):
        for number, one in enumerate(node):
            require_parameters(f"{place}[{number}]", one)
    if not isinstance(node, dict) or node.get("_target_") == MISSING:
        return
    target = node.get("_target_")
    if target is not None and not (isinstance(target, str) and target.startswith("offshelf.")):
        return
    known = parameters(target) if target else {}
    if target:
        _require_known(place, node, known)
    if not takes_any(known):  # an estimator below it is scikit-learn's kin, whose import takes seconds
        for key, value in node.items():
            require_parameters(f"{place}.{key}", value)


def _require_known(place: str, node: Mapping[str, Any], known: Mapping[str, inspect.Parameter]) -> None:
    for key, value in node.items():
        if key.startswith("_"):
            continue
        if key not in known and not takes_any(known):
            raise ConfigError(f"{place} has no key '{key}'{did_you_mean(key, list(known))}")
        require_fit(f"{place}.{key}", annotation(known, key), value)


def require_fit(place: str, wanted: Any, value: Any) -> None:
    """Refuse a value that does not fit an annotation.

    Raises:
        ConfigError: what is expected there.
    """
    if value is UNKNOWN or (isinstance(value, str) and value == MISSING):
        return
    if value == "" and place.rpartition(".")[2] in PATH_KEYS:
        raise ConfigError(f"{place} is empty, as of a variable that is not set: name a place, or leave it out.")
    if place.rpartition(".")[2] == "seed" and int in _members(wanted):
        if not (fits(wanted, value) and (value is None or 0 <= value <= LARGEST_SEED)):
            raise ConfigError(f"{place} is a whole number from 0 to {LARGEST_SEED}; got {_shown(value)}.")
    elif not fits(wanted, value):
        named = [str(name) for name in _named(wanted)]
        if isinstance(value, str) and named and set(map(_simple, _members(wanted))) <= {Literal, NoneType}:
            raise ConfigError(f"{place} cannot be {_shown(value)}{did_you_mean(value, named)}")
        way_out = ""
        if str in _members(wanted) and isinstance(value, int | float):
            way_out = " What looks like a number is one in YAML, unless it is in quotes."
        raise ConfigError(f"{place} is {describe(wanted)}; got {_shown(value)}.{way_out}")


def fits(wanted: Any, value: Any) -> bool:
    """Return whether a value of a resolved config fits an annotation; what cannot be told fits."""
    if wanted is Any or value is UNKNOWN or (isinstance(value, str) and value == MISSING):
        return True
    kind = get_origin(wanted)
    if kind in (Union, UnionType):
        return any(fits(one, value) for one in get_args(wanted))
    if kind is Literal:
        return value in get_args(wanted) and not isinstance(value, bool)
    if wanted in TYPE_NAMES:
        return _is_simple(wanted, value)
    container = kind or wanted
    if not isinstance(container, type):
        return True
    if issubclass(container, Mapping):
        return isinstance(value, dict) and all(fits(get_args(wanted)[1], one) for one in _values(wanted, value))
    if issubclass(container, Sequence):
        return isinstance(value, list) and _items_fit(get_args(wanted), value)
    return isinstance(value, dict | list) or container is object  # a component, which is made from its keys


def describe(wanted: Any) -> str:
    """Return in words what fits an annotation."""
    words = [_word(one) for one in _members(wanted)]
    return " or ".join(dict.fromkeys(words))


def is_text(wanted: Any) -> bool:
    """Return whether a scalar that fits an annotation is always a text or null."""
    kinds = set(map(_simple, _members(wanted)))
    words = all(isinstance(name, str) for name in _named(wanted))
    return bool(kinds & {str, Path, Literal}) and words and not kinds & {int, float, bool, Any}


def of_items(wanted: Any) -> Any:
    """Return the annotation of the items of a list; Any if there is none."""
    lists = [one for one in _members(wanted) if isinstance(get_origin(one), type) and get_args(one)]
    return get_args(lists[0])[0] if len(lists) == 1 and issubclass(get_origin(lists[0]), Sequence) else Any


def _members(wanted: Any) -> tuple[Any, ...]:
    is_union = get_origin(wanted) in (Union, UnionType)
    return tuple(one for member in get_args(wanted) for one in _members(member)) if is_union else (wanted,)


def _named(wanted: Any) -> list[Any]:
    """Return the values of the literals of an annotation."""
    return [value for one in _members(wanted) if get_origin(one) is Literal for value in get_args(one)]


def _simple(member: Any) -> Any:
    return get_origin(member) or member


def _word(member: Any) -> str:
    if get_origin(member) is Literal:
        return " or ".join(map(str, get_args(member)))
    if member in TYPE_NAMES:
        return TYPE_NAMES[member]
    kind = _simple(member)
    if isinstance(kind, type) and issubclass(kind, Sequence):
        items = [one for one in get_args(member) if one is not ...]
        return f"a list, each {describe(items[0])}" if items else "a list"
    return "a group of keys"


def _is_simple(wanted: Any, value: Any) -> bool:
    if wanted is NoneType:
        return value is None
    if wanted in (str, Path):
        return isinstance(value, str)
    if wanted is bool:
        return isinstance(value, bool)
    if isinstance(value, bool) or not isinstance(value, int if wanted is int else int | float):
        return False
    return abs(value) <= LARGEST_INTEGER if isinstance(value, int) else math.isfinite(value)


def _values(wanted: Any, value: Mapping[str, Any]) -> list[Any]:
    return list(value.values()) if len(get_args(wanted)) == 2 else []


def _items_fit(items: Sequence[Any], value: Sequence[Any]) -> bool:
    if not items:
        return True
    if len(items) > 1 and items[-1] is not ...:
        return len(items) == len(value) and all(fits(one, item) for one, item in zip(items, value, strict=True))
    return all(fits(items[0], one) for one in value)


def _shown(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = str(value) if len(str(value)) <= SHOWN_CHARACTERS else f"{str(value)[:SHOWN_CHARACTERS]}…"
    return f"'{text}'" if isinstance(value, str) else text
