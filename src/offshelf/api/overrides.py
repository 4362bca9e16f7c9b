"""Keyword arguments of Python as overrides of the command line."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from offshelf.config.folder import options
from offshelf.errors import ConfigError
from offshelf.names import in_quotes
from offshelf.suggest import did_you_mean


def override(key: str, value: Any) -> str:
    """Return `key=value` in Hydra's grammar; texts are in quotes, so that they mean themselves.

    Args:
        key: A dotted key; `__` stands for a dot, as in scikit-learn.
        value: A text, path, number, truth value, None, or nested lists and mappings of these.

    Raises:
        ConfigError: the value is of another type.
    """
    name = key.replace("__", ".")
    force = "++" if isinstance(value, Mapping) else ""  # whose keys may be new, as those of backbone.kwargs
    return f"{force}{name}={_written(name, value)}"


def choice(group: str, option: str) -> str:
    """Return `group=option`.

    Args:
        group: A folder of `conf/`, or one with the key that it fills: `backbone@baseline`.
        option: The name of one of its options.

    Raises:
        ConfigError: there is no such option.
    """
    known = list(options(group.partition("@")[0]))
    if option not in known:
        raise ConfigError(f"{group} has no option '{option}'{did_you_mean(option, known)}")
    return f"{group}={option}"


def _written(key: str, value: Any) -> str:
    value = value.tolist() if hasattr(value, "tolist") else value  # NumPy's arrays and numbers
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, os.PathLike):
        return in_quotes(os.path.expanduser(os.fspath(value)))  # noqa: PTH111 - of any kind of path
    if isinstance(value, str):
        return in_quotes(value)
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{name}:{_written(f'{key}.{name}', one)}" for name, one in value.items()) + "}"
    if isinstance(value, Sequence):
        return "[" + ",".join(_written(key, one) for one in value) + "]"
    raise ConfigError(
        f"{key} takes texts, numbers, truth values, None, lists and mappings, as the command line does; "
        f"got a {type(value).__name__}."
    )
