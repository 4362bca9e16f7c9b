"""Configs: where they are, what is wrong with one, and what they build. With cli.py the only importer of Hydra."""

import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra import compose, version
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, ListConfig, OmegaConf, open_dict
from omegaconf.errors import InterpolationToMissingValueError, OmegaConfBaseException

from offshelf.config.explain import causes, explain
from offshelf.config.folder import conf_dir
from offshelf.config.parameters import MISSING, UNKNOWN, annotation, parameters, require_fit, require_parameters
from offshelf.config.trust import Trust, is_task
from offshelf.errors import ConfigError, OffshelfError
from offshelf.home import home_dir
from offshelf.process.signals import staying
from offshelf.runs.output_folder import writing_into
from offshelf.secret import masked
from offshelf.suggest import did_you_mean_key
from offshelf.terminal import Notify, discard, show

if TYPE_CHECKING:
    from offshelf.tasks.results import Result

TASKS = ("classify", "retrieve", "recommend", "extract", "layers", "dataset")
PLAIN = ("compare", "report", "predict", "export", "register", "rerun", "store", "track", "ui")
"""Commands that take no overrides."""

COMMANDS = (*TASKS, *PLAIN)

HOW = ("sweep", "launcher")
"""Root keys that say how the jobs of a sweep are run, and nothing of what they compute."""

SHARED = ("home", "data_dir", "seed", *HOW)
"""Root keys that no task takes: other keys refer to them, or the command line does."""

GIVEN = ("output_dir", "config", "arguments", "notify")
"""Parameters of a task that the command line gives, not the config."""

OmegaConf.register_new_resolver("home_dir", lambda: str(home_dir()), replace=True)
# Results go where one is, or into the home where that is a folder one may not write into.
OmegaConf.register_new_resolver("here_or", lambda home: "" if os.access(".", os.W_OK) else f"{home}/", replace=True)


def load(task: str, overrides: Sequence[str], folder: Path | None = None, complete: bool = True) -> DictConfig:
    """Compose a task's config without running it; `folder` holds options of the user's own.

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
    """A root config as Hydra composes it, and Hydra's own settings. See load.

    Raises:
        ConfigError: a key or option that does not exist.
    """
    try:
        with _search_path(task, folder):
            config = compose(task, list(overrides), return_hydra_config=True)
            settings = config.hydra
            with open_dict(config):
                del config["hydra"]
    except Exception as error:
        raise explain(error) from error
    return config, settings


def require_valid(config: DictConfig, complete: bool = True) -> None:
    """Check a root config before anything is built.

    Raises:
        ConfigError: a key that does not exist, a value that does not fit or, if it has to be `complete`, is missing.
    """
    _require_known(config)
    if complete:
        _require_values(config)


@contextmanager
def _search_path(task: str, folder: Path | None) -> Iterator[None]:
    """Hydra, looking for configs where its command line would: in the shipped ones, then in the user's folder."""
    version.setbase("1.3")
    path = create_config_search_path(str(conf_dir()))
    if folder:
        path.prepend("command-line", f"file://{folder.absolute()}", anchor="schema")
    Hydra.create_main_hydra2(task, path)
    try:
        yield
    finally:
        GlobalHydra.instance().clear()


@contextmanager
def secrets_masked() -> Iterator[None]:
    """What Hydra writes and prints of configs meanwhile holds no secret: all of it goes through `OmegaConf.to_yaml`."""
    to_yaml = OmegaConf.to_yaml

    def masking(config: Any, **options: Any) -> str:
        resolve = options.get("resolve", False)
        content = OmegaConf.to_container(config, resolve=resolve, enum_to_str=True)
        return to_yaml(OmegaConf.create(masked(content)), **{**options, "resolve": False})

    OmegaConf.to_yaml = staticmethod(masking)  # type: ignore[method-assign,assignment]
    try:
        yield
    finally:
        OmegaConf.to_yaml = staticmethod(to_yaml)  # type: ignore[method-assign]


def build(config: DictConfig) -> "Callable[..., Result]":
    """Bind a root config to its task: components are made here, the task runs when called.

    Raises:
        ConfigError: a component cannot be made.
    """
    arguments = {key: value for key, value in plain(config).items() if key not in SHARED}
    task: Callable[..., Result] = _make(arguments, _partial_=True)
    return task


def perform(config: DictConfig, folder: Path, arguments: Sequence[str] | None = None) -> float | None:
    """Run the task of a root config and print its result.

    Args:
        config: The root config.
        folder: Output folder.
        arguments: Arguments of the command line, if it was one.

    Returns:
        The number that Hydra's sweepers receive; None where the task has none.

    Raises:
        OffshelfError: a component cannot be made, or the task fails.
    """
    require_valid(config)
    with staying():
        result = run_config(config, folder, arguments, show)
        show(*result.closing())
    return result.objective


def run_config(
    config: DictConfig, folder: Path, arguments: Sequence[str] | None = None, notify: Notify = discard
) -> "Result":
    """Run the task of a valid root config as a command would, without printing; `notify` receives what it says.

    Raises:
        OffshelfError: a component cannot be made, or the task fails.
    """
    task = build(config)
    recorded = masked({key: value for key, value in plain(config).items() if key not in HOW})
    given = {"output_dir": str(folder), "config": recorded, "arguments": masked(arguments), "notify": notify}
    taken = [name for name in GIVEN if name in parameters(config["_target_"])]
    with writing_into(folder) if "output_dir" in taken else nullcontext():
        return task(**{name: given[name] for name in taken})


def build_group(config: DictConfig, group: str) -> Any:
    """One component of a root config, or None where the config has no such group.

    Raises:
        ConfigError: it cannot be made.
    """
    return _make(plain(config)[group]) if group in config else None


def components(config: Mapping[str, Any], groups: Sequence[str], trust: Trust) -> dict[str, Any]:
    """Components of a resolved config by their groups; None where the config has no such group.

    Raises:
        ConfigError: one cannot be made any more, or is not trusted.
    """
    wanted = {group: config.get(group) for group in groups}
    trust.require(wanted)
    return {group: _make(node) for group, node in wanted.items()}


def _make(node: Any, **options: Any) -> Any:
    """What a resolved config stands for; its own error where it cannot be made, in one sentence."""
    from hydra.utils import instantiate

    if os.getcwd() not in sys.path:  # noqa: PTH109 - where classes of the user's own are; after what is installed
        sys.path.append(os.getcwd())  # noqa: PTH109
    try:
        # It looks texts up twice: as a whole, and again at each place.
        return instantiate(_literal(_literal(node)), _convert_="all", **options)
    except Exception as error:
        for cause in causes(error):
            if isinstance(cause, OffshelfError):
                raise cause from None
        raise ConfigError(" ".join(str(error).split())) from error


def _literal(node: Any) -> Any:
    """A resolved config, whose texts mean themselves: `${…}` in one is not looked up."""
    if isinstance(node, Mapping):
        return {key: _literal(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [_literal(value) for value in node]
    # As OmegaConf has it, where there is a `${` at all: one more backslash, and those before it twice.
    return re.sub(r"(\\*)\$\{", lambda found: f"{2 * found[1]}\\${{", node) if isinstance(node, str) else node


def run_recorded(
    config: Mapping[str, Any], folder: Path, tracking: Any, trust: Trust, notify: Notify = discard
) -> "Result":
    """Run the task of a recorded config, with another tracker.

    Raises:
        ConfigError: the config does not fit this release any more, or names what is not trusted.
        OffshelfError: the run fails.
    """
    if not is_task(config):
        raise ConfigError(f"The record is of no task that can be run again: _target_ is {config.get('_target_')!r}.")
    trust.require({key: value for key, value in config.items() if key not in SHARED})
    composed = OmegaConf.create(_literal(config))
    _require_known(composed)
    task = build(composed)
    result: Result = task(output_dir=str(folder), config=masked(dict(config)), tracking=tracking, notify=notify)
    return result


def plain(config: DictConfig) -> dict[str, Any]:
    """The resolved config as plain containers.

    Raises:
        ConfigError: a value refers to what is not there.
    """
    try:
        container: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    except (OmegaConfBaseException, OffshelfError, RecursionError) as error:
        raise explain(error) from error
    return container


def _require_values(config: DictConfig) -> None:
    missing = sorted(OmegaConf.missing_keys(config))
    if missing:
        raise ConfigError(f"Missing: {', '.join(missing)}. Set: {' '.join(f'{key}=…' for key in missing)}")


def _require_known(config: DictConfig) -> None:
    """Refuse keys that no parameter takes (`+key=value` would bring them in unseen), and values that fit none.

    Raises:
        ConfigError: the key, and the nearest parameter; or the value, and what is expected.
    """
    if not isinstance(config.get("_target_"), str):
        raise ConfigError(
            "This is no config of a task: it has no _target_. Begin it with  defaults: [classify, _self_]"
        )
    target = parameters(config["_target_"])
    others = parameters(f"{__name__}.shared")
    known = [name for name in target if name not in GIVEN] + list(SHARED)
    for key in map(str, config):
        if key != "_target_" and key not in known:
            raise ConfigError(f"There is no key '{key}'{did_you_mean_key(key, '', _plain_keys(config, known))}")
    needed = [name for name, one in target.items() if one.default is one.empty and name not in GIVEN]
    lacking = [name for name in needed if name not in config]
    if lacking:
        raise ConfigError(f"The config has no {', '.join(lacking)}, without which nothing can be run.")
    for key, value in settled(config).items():
        if key != "_target_":
            _require_no_option(key, value)
            require_fit(key, annotation(target if key in target else others, key), value)
            require_parameters(key, value)


def _require_no_option(key: str, value: Any) -> None:
    """Refuse `query_augmentation=whole`, which would be the text, for the option of a group that is meant."""
    if not isinstance(value, str) or key in ("layer", "pooling", "name", "on_error", *SHARED):
        return
    groups = sorted(file.parent.name for file in conf_dir().glob("*/*.yaml") if file.stem == value)  # no pattern
    meant = [group for group in groups if key.endswith(group)] or groups
    if meant:
        raise ConfigError(f"{key} is a group of keys; its option {value} is chosen by {meant[0]}@{key}={value}")


def shared(*, home: str, data_dir: str, seed: int, sweep: Mapping[str, Any], launcher: Mapping[str, Any]) -> None:
    """What fits the root keys that no task takes."""


def settled(node: Any) -> Any:
    """A config as plain containers, with UNKNOWN for what only a running Hydra knows, and MISSING.

    Raises:
        ConfigError: a value refers to what is not there.
    """
    if isinstance(node, ListConfig):
        return [_settled_at(node, place) for place in range(len(node))]
    return {str(key): _settled_at(node, key) for key in node}


def _settled_at(node: Any, key: Any) -> Any:
    try:
        if OmegaConf.is_missing(node, key):
            return MISSING
        value = node[key]
    except InterpolationToMissingValueError:  # which is named itself
        return MISSING
    except (OmegaConfBaseException, OffshelfError, RecursionError) as error:
        if "HydraConfig was not set" in str(error):
            return UNKNOWN
        raise explain(error) from error
    return settled(value) if isinstance(value, DictConfig | ListConfig) else value


def _plain_keys(config: DictConfig, known: Sequence[str]) -> dict[str, Any]:
    below: dict[str, Any] = OmegaConf.to_container(config, resolve=False)  # type: ignore[assignment]
    return {key: below.get(key) for key in known}
