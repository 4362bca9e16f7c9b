"""What a config stands for: components, and a task bound to them."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offshelf.config.check import require_known, require_valid
from offshelf.config.hydra_errors import causes
from offshelf.config.keys import INJECTED_PARAMETERS, ROOT_ONLY_KEYS, SWEEP_KEYS
from offshelf.config.parameters import parameters
from offshelf.config.trust import Trust, is_task, on_this_machine, without_foreign_downloads
from offshelf.config.values import Config, literal, node, plain
from offshelf.errors import ConfigError, OffshelfError
from offshelf.process.signals import staying
from offshelf.runs.earlier import require_current_names
from offshelf.runs.output_folder import writing_into
from offshelf.secret import masked
from offshelf.terminal import Notify, discard, show

if TYPE_CHECKING:
    from offshelf.tasks.results import Result


def build(config: Config) -> "Callable[..., Result]":
    """Bind a root config to its task: components are made here, the task runs when called.

    Raises:
        ConfigError: a component cannot be made.
    """
    arguments = {key: value for key, value in plain(config).items() if key not in ROOT_ONLY_KEYS}
    task: Callable[..., Result] = _make(arguments, _partial_=True)
    return task


def perform(config: Config, folder: Path, arguments: Sequence[str] | None = None) -> "Result":
    """Run the task of a root config and print its result, which is returned.

    Args:
        config: The root config.
        folder: Output folder.
        arguments: Arguments of the command line, if it was one.

    Raises:
        OffshelfError: a component cannot be made, or the task fails.
    """
    require_valid(config)
    with staying():
        result = run_config(config, folder, arguments, show)
        show(*result.closing())
    return result


def run_config(
    config: Config, folder: Path, arguments: Sequence[str] | None = None, notify: Notify = discard
) -> "Result":
    """Run the task of a valid root config as a command would, without printing; `notify` receives what it says.

    Raises:
        OffshelfError: a component cannot be made, or the task fails.
    """
    values = plain(config)
    task = build(values)
    recorded = masked({key: value for key, value in values.items() if key not in SWEEP_KEYS})
    given = {"output_dir": str(folder), "config": recorded, "arguments": masked(arguments), "notify": notify}
    taken = [name for name in INJECTED_PARAMETERS if name in parameters(values["_target_"])]
    with writing_into(folder) if "output_dir" in taken else nullcontext():
        return task(**{name: given[name] for name in taken})


def build_group(config: Config, group: str) -> Any:
    """Return one component of a root config, or None where the config has no such group.

    Raises:
        ConfigError: it cannot be made.
    """
    return _make(plain(config)[group]) if group in config else None


def components(config: Mapping[str, Any], groups: Sequence[str], trust: Trust) -> dict[str, Any]:
    """Return components of a resolved config by their groups; None where the config has no such group.

    Raises:
        ConfigError: one cannot be made any more, or is not trusted.
    """
    config = config if trust.everything else on_this_machine(config)
    wanted = {group: config.get(group) for group in groups}
    require_current_names(wanted)
    trust.require(wanted)
    bounded = config if trust.everything else without_foreign_downloads(config)
    return {group: _make(bounded.get(group)) for group in groups}


def run_recorded(
    config: Mapping[str, Any], folder: Path, tracking: Any, trust: Trust, notify: Notify = discard
) -> "Result":
    """Run the task of a recorded config, with another tracker.

    Raises:
        ConfigError: the config does not fit this release any more, or names what is not trusted.
        OffshelfError: the run fails.
    """
    require_current_names(config)
    if not is_task(config):
        raise ConfigError(
            f"The record is not of a task that can be run again: its _target_ is {config.get('_target_')!r}."
        )
    here = on_this_machine(config)
    trust.require({key: value for key, value in here.items() if key not in ROOT_ONLY_KEYS})
    require_known(node(config))
    return build(without_foreign_downloads(here))(
        output_dir=str(folder), config=masked(dict(config)), tracking=tracking, notify=notify
    )


def _make(values: Any, **options: Any) -> Any:
    """Return what resolved values stand for; its own error where it cannot be made, in one sentence."""
    from hydra.utils import instantiate

    if os.getcwd() not in sys.path:  # noqa: PTH109 - where classes of the user's own are; after what is installed
        sys.path.append(os.getcwd())  # noqa: PTH109
    try:
        # It looks texts up twice: as a whole, and again at each place.
        return instantiate(literal(literal(values)), _convert_="all", **options)
    except Exception as error:
        for cause in causes(error):
            if isinstance(cause, OffshelfError):
                raise cause from None
        raise ConfigError(" ".join(str(error).split())) from error
