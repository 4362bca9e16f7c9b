"""Checks of a root config before anything is built: keys that exist, values that fit, none missing."""

from collections.abc import Mapping, Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf

from offshelf.config.folder import conf_dir
from offshelf.config.keys import INJECTED_PARAMETERS, ROOT_ONLY_KEYS, ROOT_ONLY_TARGET
from offshelf.config.parameters import annotation, parameters, require_fit, require_parameters
from offshelf.config.values import Config, node, settled
from offshelf.errors import ConfigError
from offshelf.runs.earlier import require_current_names
from offshelf.suggest import did_you_mean_key

PLAIN_TEXT_KEYS = ("layer", "pooling", "name", "on_error", *ROOT_ONLY_KEYS)
"""Root keys whose value may be a text that is also the name of an option."""


def require_valid(config: Config, complete: bool = True) -> None:
    """Check a root config before anything is built.

    Raises:
        ConfigError: a key that does not exist, a value that does not fit or, if it has to be `complete`, is missing.
    """
    made = node(config)
    require_known(made)
    if complete:
        _require_values(made)


def require_known(config: DictConfig) -> None:
    """Refuse keys that no parameter takes (`+key=value` would add them unseen), and values that fit none.

    Raises:
        ConfigError: the key, and the nearest parameter; or the value, and what is expected.
    """
    if not isinstance(config.get("_target_"), str):
        raise ConfigError(
            "This is not the config of a task: it has no _target_. Begin it with  defaults: [classify, _self_]"
        )
    require_current_names(OmegaConf.to_container(config, resolve=False))
    target = parameters(config["_target_"])
    others = parameters(ROOT_ONLY_TARGET)
    known = [name for name in target if name not in INJECTED_PARAMETERS] + list(ROOT_ONLY_KEYS)
    for key in map(str, config):
        if key != "_target_" and key not in known:
            raise ConfigError(f"There is no key '{key}'{did_you_mean_key(key, '', _plain_keys(config, known))}")
    needed = [name for name, one in target.items() if one.default is one.empty and name not in INJECTED_PARAMETERS]
    lacking = [name for name in needed if name not in config]
    if lacking:
        raise ConfigError(f"The config has no {', '.join(lacking)}, without which nothing can be run.")
    for key, value in settled(config).items():
        if key != "_target_":
            _require_no_option(key, value)
            require_fit(key, annotation(target if key in target else others, key), value)
            require_parameters(key, value)


def _require_values(config: DictConfig) -> None:
    missing = sorted(OmegaConf.missing_keys(config))
    if missing:
        raise ConfigError(f"Missing: {', '.join(missing)}. Set: {' '.join(f'{key}=…' for key in missing)}")


def _require_no_option(key: str, value: Any) -> None:
    """Refuse `query_augmentation=whole`, which would set the text instead of choosing the option of a group."""
    if not isinstance(value, str) or key in PLAIN_TEXT_KEYS:
        return
    groups = sorted(file.parent.name for file in conf_dir().glob("*/*.yaml") if file.stem == value)  # no pattern
    meant = [group for group in groups if key.endswith(group)] or groups
    if meant:
        raise ConfigError(f"{key} is a group of keys; its option {value} is chosen by {meant[0]}@{key}={value}")


def _plain_keys(config: DictConfig, known: Sequence[str]) -> Mapping[str, Any]:
    below: dict[str, Any] = OmegaConf.to_container(config, resolve=False)  # type: ignore[assignment]
    return {key: below.get(key) for key in known}
