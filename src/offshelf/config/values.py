"""From OmegaConf's configs to plain containers, and back."""

import re
from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import InterpolationToMissingValueError, OmegaConfBaseException

from offshelf.config.hydra_errors import explain
from offshelf.config.parameters import MISSING, UNKNOWN
from offshelf.errors import OffshelfError
from offshelf.secret import referenced

Config = DictConfig | Mapping[str, Any]
"""A config as Hydra composes it, or its resolved values, whose texts mean themselves."""


def plain(config: Config) -> dict[str, Any]:
    """Return the resolved config as plain containers.

    Raises:
        ConfigError: a value refers to a key or variable that does not exist.
    """
    if not isinstance(config, DictConfig):
        return dict(config)
    try:
        container: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    except (OmegaConfBaseException, OffshelfError, RecursionError) as error:
        raise explain(error) from error
    return container


def node(config: Config) -> DictConfig:
    """Return the config as OmegaConf's; resolved values keep their meaning."""
    return config if isinstance(config, DictConfig) else OmegaConf.create(literal(dict(config)))


def portable(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return resolved values as they may travel to other processes, also in files: secrets are references.

    The references are to variables of this process's environment, which its children inherit. See `restored`.
    """
    made: dict[str, Any] = referenced(literal(dict(values)))
    return made


def restored(config: Config) -> dict[str, Any]:
    """Return the values that `portable` was given.

    Raises:
        ConfigError: the environment lacks a variable.
    """
    return plain(config if isinstance(config, DictConfig) else OmegaConf.create(dict(config)))


def literal(value: Any) -> Any:
    """Return resolved values with their texts escaped: a `${…}` in one is not looked up again."""
    if isinstance(value, Mapping):
        return {key: literal(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [literal(one) for one in value]
    # As OmegaConf has it, where there is a `${` at all: one more backslash, and those before it twice.
    return re.sub(r"(\\*)\$\{", lambda found: f"{2 * found[1]}\\${{", value) if isinstance(value, str) else value


def settled(config: Any) -> Any:
    """Return a config as plain containers, with MISSING, and UNKNOWN for values that only a running Hydra knows.

    Raises:
        ConfigError: a value refers to a key or variable that does not exist.
    """
    try:
        return OmegaConf.to_container(config, resolve=True)  # a tenth of the time of a look at each value
    except (OmegaConfBaseException, OffshelfError, RecursionError):
        if isinstance(config, ListConfig):
            return [_settled_at(config, place) for place in range(len(config))]
        return {str(key): _settled_at(config, key) for key in config}


def _settled_at(config: Any, key: Any) -> Any:
    try:
        if OmegaConf.is_missing(config, key):
            return MISSING
        value = config[key]
    except InterpolationToMissingValueError:  # the key that it refers to is reported itself
        return MISSING
    except (OmegaConfBaseException, OffshelfError, RecursionError) as error:
        if "HydraConfig was not set" in str(error):
            return UNKNOWN
        raise explain(error) from error
    return settled(value) if isinstance(value, DictConfig | ListConfig) else value
