"""One job of a sweep, as Hydra composes it."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offshelf.config.keys import SWEEP_KEYS
from offshelf.config.values import Config, literal, plain, portable, restored
from offshelf.secret import masked

if TYPE_CHECKING:
    from omegaconf import DictConfig


@dataclass(frozen=True)
class Job:
    """One job of a sweep; it may travel to other processes, also in files."""

    number: int
    overrides: Sequence[str]
    config: Config
    """As it travels: secrets are references. What it means is in `values`."""
    folder: Path
    """The folder of its output."""
    settings: Mapping[str, Any] | None = None
    """Settings of Hydra while the job runs: `job_logging`, `verbose`, `env_set`, `chdir`."""
    digest: str = ""
    """Identity of its config and data; empty where it has none."""

    @classmethod
    def of(cls, config: "DictConfig", hydra: "DictConfig") -> "Job":
        """Make a job while Hydra runs, with all values resolved that only a running Hydra knows.

        Raises:
            ConfigError: a value refers to a key or variable that does not exist.
        """
        verbose = hydra.verbose if isinstance(hydra.verbose, bool | str) else list(hydra.verbose)
        settings = {"job_logging": plain(hydra.job_logging), "verbose": verbose}
        settings |= {"env_set": plain(hydra.job.env_set), "chdir": bool(hydra.job.chdir)}
        folder = Path(hydra.runtime.output_dir)
        overrides = masked(list(hydra.overrides.task))
        return cls(hydra.job.num, overrides, portable(plain(config)), folder, portable(settings))

    @cached_property
    def values(self) -> dict[str, Any]:
        """The resolved config.

        Raises:
            ConfigError: the environment lacks a variable.
        """
        return restored(self.config)

    @property
    def choices(self) -> dict[str, str]:
        """Key to value."""
        pairs = (override.partition("=") for override in self.overrides)
        return {key: value for key, _, value in pairs if key.partition(".")[0] not in SWEEP_KEYS}

    def __str__(self) -> str:
        return f"job {self.number} ({', '.join(f'{key}={value}' for key, value in self.choices.items())})"

    def __getstate__(self) -> dict[str, Any]:
        """What travels: the fields, without the resolved values, which may hold secrets."""
        return {name: value for name, value in self.__dict__.items() if name != "values"}


@contextmanager
def as_in_hydra(job: Job) -> Iterator[None]:
    """Set for a block what Hydra sets for a job: logging, variables of the environment, the working folder."""
    if job.settings is None:
        yield
        return
    from hydra.core.utils import configure_log, env_override
    from omegaconf import OmegaConf

    settings = restored(job.settings)
    verbose = settings["verbose"]
    configure_log(
        OmegaConf.create(literal(settings["job_logging"])),
        OmegaConf.create(verbose) if isinstance(verbose, list) else verbose,
    )
    before = Path.cwd()
    try:
        if settings["chdir"]:
            os.chdir(job.folder)
        with env_override(settings["env_set"]):
            yield
    finally:
        os.chdir(before)
