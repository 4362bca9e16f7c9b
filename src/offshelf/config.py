"""Configs: where they are, what is wrong with one, and what they build. With cli.py the only importer of Hydra."""

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra import compose, version
from hydra._internal.hydra import Hydra
from hydra._internal.utils import create_config_search_path
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from offshelf.errors import ConfigError, OffshelfError
from offshelf.home import home_dir
from offshelf.spelling import did_you_mean
from offshelf.trust import Trust, is_task

TASKS = ("classify", "retrieve", "recommend", "extract", "layers", "dataset")
PLAIN = ("compare", "report", "predict", "export", "register", "rerun", "store", "track", "ui")
"""Commands that take no overrides."""

COMMANDS = (*TASKS, *PLAIN)

HOW = ("sweep", "launcher")
"""Root keys that say how the jobs of a sweep are run, and nothing of what they compute."""

SHARED = ("home", "data_dir", "seed", *HOW)
"""Root keys that no task takes: other keys refer to them, or the command line does."""

GIVEN = ("output_dir", "config", "arguments")
"""Parameters of a task that the command line gives, not the config."""

ANY = "**"
"""Stands for the parameters of a component that takes any by keyword."""

OmegaConf.register_new_resolver("home_dir", lambda: str(home_dir()), replace=True)
# Results go where one is, or into the home where that is a folder one may not write into.
OmegaConf.register_new_resolver("here_or", lambda home: "" if os.access(".", os.W_OK) else f"{home}/", replace=True)


def conf_dir() -> Path:
    """The folder of configs: inside the package; in a checkout that is a link to the one at its root."""
    return (Path(__file__).parent / "conf").resolve()


def options(group: str) -> dict[str, str]:
    """The shipped options of a group, and the comment that each begins with."""
    files = sorted((conf_dir() / group).glob("*.yaml"))
    return {file.stem: file.read_text(encoding="utf-8").splitlines()[0].lstrip("# ") for file in files}


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
    try:
        with _search_path(task, folder):
            config = compose(task, list(overrides))
    except Exception as error:
        raise explain(error) from error
    _require_known(config)
    if complete:
        _require_values(config)
    return config


def hydra_config(task: str, overrides: Sequence[str], folder: Path | None = None) -> DictConfig:
    """Hydra's own settings of a root config. See load."""
    with _search_path(task, folder):
        settings: DictConfig = compose(task, list(overrides), return_hydra_config=True).hydra
    return settings


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


def explain(error: BaseException) -> ConfigError:
    """Hydra's error as one sentence, with the nearest existing name."""
    from hydra.errors import MissingConfigException, OverrideParseException

    for cause in _causes(error):
        if isinstance(cause, OverrideParseException):
            return ConfigError(f"'{cause.override}' is no override: {_expected(str(cause.override))}")
        if isinstance(cause, MissingConfigException):
            if cause.options is None:
                return ConfigError(f"There is no config '{cause.missing_cfg_file}' where configs are looked for.")
            group, _, option = str(cause.missing_cfg_file).rpartition("/")
            return ConfigError(f"{group} has no option '{option}'{did_you_mean(option, cause.options)}")
        if isinstance(cause, OmegaConfBaseException) and cause.key is not None and cause.parent_node is not None:
            keys = [str(key) for key in cause.parent_node] if isinstance(cause.parent_node, DictConfig) else []
            if str(cause.key) not in keys:
                where = str(cause.full_key or cause.key).rpartition(".")[0]
                place = f"{where} has" if where else "There is"
                return ConfigError(f"{place} no key '{cause.key}'{did_you_mean(str(cause.key), keys)}")
        if isinstance(cause, OffshelfError):
            return ConfigError(str(cause))
    return ConfigError(" ".join(str(error).split()))


def _expected(override: str) -> str:
    """The form of an override; where it is that of a value with odd characters, how to quote it."""
    key, equals, value = override.partition("=")
    if not equals or not re.fullmatch(r"[+~]{0,2}[\w.@/:-]+", key):
        return "expected group=option or key=value."
    # Backslashes are doubled before a quote alone.
    quoted = re.sub(r'(\\*)("|\Z)', lambda found: 2 * found[1] + found[2].replace('"', r"\""), value)
    return f"quote a value with such characters, once for Hydra and once for the shell: '{key}=\"{quoted}\"'"


def build(config: DictConfig) -> Callable[..., Any]:
    """Bind a root config to its task: components are made here, the task runs when called.

    Raises:
        ConfigError: a component cannot be made.
    """
    arguments = {key: value for key, value in plain(config).items() if key not in SHARED}
    task: Callable[..., Any] = _make(arguments, _partial_=True)
    return task


def perform(config: DictConfig, folder: Path, arguments: Sequence[str] | None = None) -> Any:
    """Build a root config's task and call it; `folder` is for its output, `arguments` are those of the command line.

    Raises:
        OffshelfError: a component cannot be made, or the task fails.
    """
    task = build(config)
    recorded = {key: value for key, value in plain(config).items() if key not in HOW}
    given = {"output_dir": str(folder), "config": recorded, "arguments": arguments}
    return task(**{name: given[name] for name in GIVEN if name in _parameters(config["_target_"])})


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

    try:
        # It looks texts up twice: as a whole, and again at each place.
        return instantiate(_literal(_literal(node)), _convert_="all", **options)
    except Exception as error:
        for cause in _causes(error):
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


def run_recorded(config: Mapping[str, Any], folder: Path, tracking: Any, trust: Trust) -> Any:
    """Run the task of a recorded config, with another tracker. Returns what the task returns.

    Raises:
        ConfigError: the config does not fit this release any more, or names what is not trusted.
        OffshelfError: the run fails.
    """
    if not is_task(config):
        raise ConfigError(f"The record is of no task that can be run again: _target_ is {config.get('_target_')!r}.")
    trust.require({key: value for key, value in config.items() if key not in SHARED})
    composed = OmegaConf.create(_literal(config))
    _require_known(composed)
    return build(composed)(output_dir=str(folder), config=dict(config), tracking=tracking)


def plain(config: DictConfig) -> dict[str, Any]:
    """The resolved config as plain containers."""
    container: dict[str, Any] = OmegaConf.to_container(config, resolve=True)  # type: ignore[assignment]
    return container


def _causes(error: BaseException | None) -> list[BaseException]:
    causes: list[BaseException] = []
    while error is not None and error not in causes:
        causes.append(error)
        error = error.__cause__ or error.__context__
    return causes


def _require_values(config: DictConfig) -> None:
    missing = sorted(OmegaConf.missing_keys(config))
    if missing:
        raise ConfigError(f"Missing: {', '.join(missing)}. Set: {' '.join(f'{key}=…' for key in missing)}")


def _require_known(config: DictConfig) -> None:
    """Refuse keys that no parameter takes: `+key=value` would bring them in unseen.

    Raises:
        ConfigError: the key, and the nearest parameter.
    """
    known = [name for name in _parameters(config["_target_"]) if name not in GIVEN] + list(SHARED)
    for key in map(str, config):
        if key != "_target_" and key not in known:
            raise ConfigError(f"There is no key '{key}'{did_you_mean(key, known)}")
    for group, node in config.items():
        _require_parameters(str(group), node)


def _require_parameters(place: str, node: Any) -> None:
    if not isinstance(node, DictConfig) or OmegaConf.is_missing(node, "_target_"):
        return
    target = node.get("_target_")
    if target is not None:
        if not isinstance(target, str) or not target.startswith("offshelf."):
            return
        known = _parameters(target)
        if ANY in known:  # it looks at its keys itself, when it is made
            return
        for key in map(str, node):
            if key != "_target_" and key not in known:
                raise ConfigError(f"{place} has no key '{key}'{did_you_mean(key, known)}")
    for key in map(str, node):
        if _is_plain(node, key):
            _require_parameters(f"{place}.{key}", node[key])


def _is_plain(node: DictConfig, key: str) -> bool:
    return not OmegaConf.is_missing(node, key) and not OmegaConf.is_interpolation(node, key)


def _parameters(target: str) -> list[str]:
    """Names of a component's parameters, ANY where it takes any; this imports specs, which are cheap, and no more."""
    from inspect import Parameter, signature

    from hydra.utils import get_object

    try:
        parameters = signature(get_object(target)).parameters.values()
        return [ANY if one.kind is Parameter.VAR_KEYWORD else one.name for one in parameters]
    except Exception as error:
        raise ConfigError(f"The target '{target}' cannot be found: {' '.join(str(error).split())}") from error
