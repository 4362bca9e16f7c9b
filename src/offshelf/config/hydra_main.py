"""Running Hydra's command line: a function is called with each config that it composes."""

import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import hydra
import yaml
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.hydra import Hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf._utils import OmegaConfDumper
from omegaconf.errors import OmegaConfBaseException

from offshelf.config.folder import conf_dir
from offshelf.config.hydra_errors import explain
from offshelf.config.instantiation import perform
from offshelf.config.job import Job
from offshelf.config.loader import sharing_composition
from offshelf.secret import masked

if TYPE_CHECKING:
    from offshelf.config.command_line import Asked


def run_once(asked: "Asked") -> Any:
    """Run the task of a command line that is not a sweep. Returns what the task returns; None where none was run.

    Raises:
        ConfigError: Hydra cannot make a folder, or refuses a setting of its own.
        OffshelfError: a component cannot be made, or the task fails.
    """
    results: list[Any] = []
    errors: list[BaseException] = []

    def job(config: DictConfig) -> None:
        try:
            results.append(perform(config, Path(HydraConfig.get().runtime.output_dir), asked.arguments))
        except BaseException as error:
            errors.append(error)  # raised when Hydra is through, which would announce it in its own words

    with _composed_before(asked):
        _run(asked, job)
    if errors:
        raise errors[0]
    return results[0] if results else None


def call_with_jobs(asked: "Asked", call: Callable[[Job], Any], *more: str) -> None:
    """Call a function with each job of a sweep, in Hydra's order; `more` are overrides of Hydra's settings.

    A sweeper that chooses its jobs by their results gets the number that the function returns.

    Raises:
        ConfigError: Hydra cannot make a folder, or refuses a setting of its own.
    """

    def job(config: DictConfig) -> Any:
        return call(Job.of(config, cast("DictConfig", HydraConfig.get())))

    logging.getLogger("hydra._internal.core_plugins.basic_launcher").setLevel(logging.WARNING)  # it launches nothing
    with sharing_composition():
        _run(asked, job, *more)


def _run(asked: "Asked", job: Callable[[DictConfig], Any], *more: str) -> None:
    sys.argv = [f"offshelf {asked.task}", *_unnamed([*asked.overrides, *more]), *asked.flags]
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then passes errors on, instead of printing them and leaving
    raised: list[BaseException] = []

    def guarded(config: DictConfig) -> Any:
        try:
            return job(config)
        except BaseException as error:
            raised.append(error)
            raise

    try:
        with _secrets_masked():
            hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name=asked.task)(guarded)()
    except (HydraException, OmegaConfBaseException, ValueError, TypeError, OSError) as error:
        if raised:
            raise
        raise explain(error) from error


class _Dumper(getattr(yaml, "CDumper", yaml.Dumper)):  # type: ignore[misc]
    """OmegaConf's dumper, in C where PyYAML has that: a fifth of the time."""


_Dumper.add_representer(str, OmegaConfDumper.str_representer)


@contextmanager
def _composed_before(asked: "Asked") -> Iterator[None]:
    """Have Hydra use the config that was composed to check it, instead of composing it twice again."""
    get_mode, load = Hydra.get_mode, ConfigLoaderImpl.load_configuration

    def reuse(self: ConfigLoaderImpl, config_name: str, overrides: list[str], **more: Any) -> DictConfig:
        if asked.composed is not None and overrides == list(asked.overrides):
            return asked.composed
        return load(self, config_name=config_name, overrides=overrides, **more)

    Hydra.get_mode = lambda *_, **__: RunMode.RUN  # type: ignore[method-assign]
    ConfigLoaderImpl.load_configuration = reuse  # type: ignore[method-assign,assignment]
    try:
        yield
    finally:
        Hydra.get_mode = get_mode  # type: ignore[method-assign]
        ConfigLoaderImpl.load_configuration = load  # type: ignore[method-assign]


@contextmanager
def _secrets_masked() -> Iterator[None]:
    """Mask secrets in what Hydra writes and prints of configs: all of it goes through `OmegaConf.to_yaml`."""
    to_yaml = OmegaConf.to_yaml

    def masking(config: Any, *, resolve: bool = False, sort_keys: bool = False) -> str:
        content = masked(OmegaConf.to_container(config, resolve=resolve, enum_to_str=True))
        text: str = yaml.dump(
            content, Dumper=_Dumper, default_flow_style=False, allow_unicode=True, sort_keys=sort_keys
        )
        return text

    OmegaConf.to_yaml = staticmethod(masking)  # type: ignore[method-assign,assignment]
    try:
        yield
    finally:
        OmegaConf.to_yaml = staticmethod(to_yaml)  # type: ignore[method-assign]


def _unnamed(arguments: Sequence[str]) -> list[str]:
    """Add a setting that keeps overrides with a secret out of names of folders, for which `override_dirname` is."""
    secrets = [argument for argument in arguments if masked(argument) != argument]
    setting = "hydra.job.config.override_dirname.exclude_keys"
    if not secrets or any(argument.startswith(setting) for argument in arguments):
        return list(arguments)
    place = arguments.index(secrets[-1]) + 1  # beside others, as Hydra's options may not stand between overrides
    keys = ",".join(argument.partition("=")[0].lstrip("+~") for argument in secrets)
    return [*arguments[:place], f"{setting}=[{keys}]", *arguments[place:]]
