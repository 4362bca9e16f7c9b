"""What a command line asks of a task: read and checked at once, before anything is built, loaded or made.

There is one way into a sweep, whether `-m`, an override or a config file has asked for it.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import yaml
from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.types import Override
from hydra.types import RunMode
from omegaconf import DictConfig

from offshelf.config.check import require_valid
from offshelf.config.compose import all_composed, composed, with_settings
from offshelf.config.folder import conf_dir, root_targets
from offshelf.config.override import (
    beyond_ascii,
    choices,
    job_count,
    layer_pattern,
    looks_otherwise,
    parse,
    require_few,
    with_texts,
)
from offshelf.config.values import plain
from offshelf.errors import ConfigError

REFUSED_FLAGS = {
    "config_path": "--config-path would take offshelf's own configs away; a folder of yours beside them: --config-dir",
    "experimental_rerun": "--experimental-rerun would run what is in a pickle; a run again: offshelf rerun RUN",
}
"""Flags of Hydra's, by their names in its parser."""

CROSS_VALIDATED_TASKS = ("classify", "recommend")
"""Tasks whose result can be one of cross-validation on training images."""


@dataclass(frozen=True)
class Asked:
    """A command line that has been checked."""

    task: str
    flags: Sequence[str]
    overrides: Sequence[str]
    """Texts among their values in quotes."""
    first: dict[str, Any] | None = None
    """The resolved config of a sweep's first job; None where it is not a sweep."""
    composed: DictConfig | None = None
    """Config of a single run with Hydra's settings, as Hydra composes it."""
    chooses: bool = False
    """Whether a sweeper chooses the jobs by their results."""

    @property
    def arguments(self) -> list[str]:
        """Flags, then overrides."""
        return [*self.flags, *self.overrides]


def read(task: str, arguments: Sequence[str]) -> Asked:
    """Compose the configs that a command line asks for, and check them.

    Raises:
        ConfigError: whatever is wrong with it.
    """
    arguments = [beyond_ascii(layer_pattern(argument)) for argument in arguments]
    given = _parser().parse_intermixed_args(arguments)
    flags = [argument for argument in arguments if argument not in given.overrides]
    for flag, why in REFUSED_FLAGS.items():
        if getattr(given, flag):
            raise ConfigError(f"{why}.")
    if given.hydra_help or given.help or given.info or given.shell_completion:
        return Asked(task, flags, given.overrides)
    folder = Path(given.config_dir) if given.config_dir else None
    if folder and not folder.is_dir():
        raise ConfigError(f"--config-dir {folder} is not a folder.")
    name = given.config_name or task
    recorded = _settings_of_records(task, name, folder) if given.config_name else []
    overrides, configs, settings = _compose(name, [*recorded, *given.overrides], folder)
    for config in configs:
        require_valid(config, complete=not given.cfg)
    _require_target(task, name, configs[0])
    is_sweep = given.multirun or settings.mode == RunMode.MULTIRUN
    if not is_sweep:
        _require_single(overrides, configs[0])
        return Asked(task, flags, _lines(overrides), composed=with_settings(configs[0], settings))
    if given.cfg:
        raise ConfigError("--cfg shows the config of one run: leave out -m, or list the jobs with sweep.dry_run=true")
    chooses = _chooses(task, settings)
    validated = _validating(overrides, configs[0]) if chooses else []
    return Asked(task, flags, [*_lines(overrides), *validated], plain(configs[0]), chooses=chooses)


def _parser() -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = get_args_parser()

    def refuse(message: str) -> NoReturn:
        raise ConfigError(f"{message[0].upper()}{message[1:]}. See: offshelf --help")

    parser.error = refuse  # type: ignore[method-assign]
    return parser


def _compose(
    name: str, overrides: Sequence[str], folder: Path | None
) -> tuple[list[Override], list[DictConfig], DictConfig]:
    """Return overrides with their texts in quotes, the config of each choice, and Hydra's settings of the first.

    Raises:
        ConfigError: a config cannot be composed, or there are too many.
    """
    parsed = parse(overrides)
    first, *others = choices(parsed)
    config, settings = composed(name, first, folder)
    if _tries_all(settings):
        require_few(job_count(parsed))
    configs = [config, *all_composed(name, others, folder)] if others else [config]
    if any(map(looks_otherwise, parsed)):
        lines = with_texts(parsed, configs)
        if lines != _lines(parsed):
            return _compose(name, lines, folder)
    return parsed, configs, settings


def _lines(overrides: Sequence[Override]) -> list[str]:
    return [str(override.input_line) for override in overrides]


def _require_target(task: str, name: str, config: DictConfig) -> None:
    """Refuse the config of another task, which would be run in its place."""
    for other, target in root_targets().items():
        if other != task and target == config["_target_"]:
            raise ConfigError(f"{name} is a config of another task: offshelf {other} --config-name {name}")


def _require_single(overrides: Sequence[Override], config: DictConfig) -> None:
    for override in overrides:
        if override.is_sweep_override():
            key, value = override.get_key_element(), override.get_value_string()
            takes_lists = key == "layer" or key.startswith("classifier.")
            several = f"; {key}=[{value}] takes all of them in one run" if takes_lists else ""
            raise ConfigError(
                f"'{override.input_line}' has several values: -m runs a job for each{several}. If a comma belongs to "
                f"the value, put it in quotes: '{key}=\"{value}\"'"
            )
    if config.get("sweep") and config.sweep.dry_run:
        raise ConfigError(
            "sweep.dry_run lists the jobs of a sweep: add -m; of a single run: offshelf extract dry_run=true"
        )


def _chooses(task: str, settings: Any) -> bool:
    """Return whether a sweeper chooses the jobs of a sweep by their results."""
    if not settings.launcher._target_.endswith(".BasicLauncher"):
        raise ConfigError("hydra/launcher is not for offshelf's jobs: use launcher=joblib, slurm or ray.")
    chooses = not _tries_all(settings)
    if chooses and "minimize" in str(settings.sweeper.get("direction")):
        raise ConfigError("Metrics are the better the larger they are: hydra.sweeper.direction=maximize")
    if chooses and task not in CROSS_VALIDATED_TASKS:
        raise ConfigError(
            f"This hydra/sweeper chooses each job by the results of those before it, and offshelf {task} has none on "
            "training images: it would choose by the test images. Leave it out: -m runs every combination."
        )
    return bool(chooses)


def _tries_all(settings: Any) -> bool:
    """Whether a sweep runs every combination of what is chosen."""
    return bool(settings.sweeper._target_.endswith(".BasicSweeper"))


def _validating(overrides: Sequence[Override], config: DictConfig) -> list[str]:
    """Return the override that has a single value cross-validated too, where jobs are chosen by their results."""
    given = any(override.key_or_group == "classifier.validate" for override in overrides)
    return [] if given or "validate" not in config.get("classifier", {}) else ["classifier.validate=true"]


def _settings_of_records(task: str, name: str, folder: Path | None) -> list[str]:
    """Return overrides of Hydra's settings if the chosen config is a run's record, which lacks just these."""
    file = (folder or conf_dir()) / f"{name.removesuffix('.yaml')}.yaml"
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):  # Hydra looks elsewhere too, and says what is wrong
        return []
    if not isinstance(content, dict) or "defaults" in content or "_target_" not in content:
        return []
    base = yaml.safe_load((conf_dir() / "base.yaml").read_text(encoding="utf-8"))["hydra"]
    folders = {"run.dir": base["run"]["dir"], "sweep.dir": base["sweep"]["dir"]}
    settings = [f'hydra.{key}="{value}"' for key, value in folders.items()]
    return ["hydra/job_logging=offshelf", f"hydra.job.name={task}", *settings]
