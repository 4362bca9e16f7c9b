"""Composing a root config from the folder of configs and overrides, without Hydra's command line."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hydra import compose, version
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf, open_dict

from offshelf.config.check import require_valid
from offshelf.config.folder import conf_dir
from offshelf.config.hydra_errors import explain
from offshelf.config.loader import sharing_composition
from offshelf.home import home_dir

OmegaConf.register_new_resolver("home_dir", lambda: str(home_dir()), replace=True)
# Results go where one is, or into the home where that is a folder one may not write into.
OmegaConf.register_new_resolver("here_or", lambda home: "" if os.access(".", os.W_OK) else f"{home}/", replace=True)


def load(task: str, overrides: Sequence[str], folder: Path | None = None, complete: bool = True) -> DictConfig:
    """Compose and check a task's config without running it.

    Args:
        task: Name of the root config.
        overrides: As on the command line, without sweeps.
        folder: Searched for options beside the shipped ones.
        complete: Whether all mandatory values must be there.

    Raises:
        ConfigError: a key or option that does not exist, a value that does not fit, or one that is missing.
    """
    config, _ = composed(task, overrides, folder)
    require_valid(config, complete)
    return config


def composed(task: str, overrides: Sequence[str], folder: Path | None = None) -> tuple[DictConfig, DictConfig]:
    """Return a root config as Hydra composes it, unchecked, and Hydra's own settings. The arguments are those of load.

    Raises:
        ConfigError: a key or option that does not exist.
    """
    try:
        with _search_path(task, folder):
            return _composed(task, overrides)
    except Exception as error:
        raise explain(error) from error


def all_composed(task: str, choices: Sequence[Sequence[str]], folder: Path | None = None) -> list[DictConfig]:
    """Return the root configs that several lists of overrides make up, unchecked. See `composed`.

    Raises:
        ConfigError: a key or option that does not exist.
    """
    try:
        with sharing_composition(), _search_path(task, folder):
            return [_composed(task, overrides)[0] for overrides in choices]
    except Exception as error:
        raise explain(error) from error


def _composed(task: str, overrides: Sequence[str]) -> tuple[DictConfig, DictConfig]:
    config = compose(task, list(overrides), return_hydra_config=True)
    settings = config.hydra
    with open_dict(config):
        del config["hydra"]
    return config, settings


def with_settings(config: DictConfig, settings: DictConfig) -> DictConfig:
    """Return what `composed` has taken apart: a root config with Hydra's own settings."""
    with open_dict(config):
        config["hydra"] = settings
    return config


@contextmanager
def _search_path(task: str, folder: Path | None) -> Iterator[None]:
    """Have Hydra look for configs where its command line would: in the user's folder, then in the shipped ones."""
    version.setbase("1.3")
    path = create_config_search_path(str(conf_dir()))
    if folder:
        path.prepend("command-line", f"file://{folder.absolute()}", anchor="schema")
    Hydra.create_main_hydra2(task, path)
    try:
        yield
    finally:
        GlobalHydra.instance().clear()
