"""The command line of a sweep: what names it, and what runs a part of it again."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from offshelf import __version__
from offshelf.config.keys import SWEEP_KEYS
from offshelf.identity import digest
from offshelf.secret import masked
from offshelf.sweep.identity import config_text


@dataclass(frozen=True)
class Command:
    """A command line that sweeps."""

    task: str
    flags: Sequence[str]
    """Flags, and settings of Hydra itself."""
    overrides: Sequence[str]

    def text(self, overrides: Sequence[str] | None = None) -> str:
        """Return the command line as it is typed, without secrets; `overrides` replace its own."""
        given = self.overrides if overrides is None else overrides
        return shlex.join(masked(["offshelf", self.task, *self.flags, *given]))

    @property
    def how(self) -> list[str]:
        """Overrides that say how its jobs are run."""
        return [override for override in self.overrides if override.partition("=")[0].partition(".")[0] in SWEEP_KEYS]

    def digest(self, values: Mapping[str, Any]) -> str:
        """Return the identity of the sweep: task, resolved config and overrides, except how its jobs are run."""
        asked = [override for override in self.overrides if override not in self.how]
        return digest([__version__, self.task, masked(list(self.flags)), masked(asked), config_text(values)])


def covering(jobs: Sequence[Mapping[str, str]]) -> list[list[str]]:
    """Return overrides that sweep over just these jobs: a single list if they form a full grid, else one per job."""
    keys = list(dict.fromkeys(key for job in jobs for key in job))
    values = [list(dict.fromkeys(job.get(key, "") for job in jobs)) for key in keys]
    grid = set(product(*values))
    if grid == {tuple(job.get(key, "") for key in keys) for job in jobs}:
        return [[f"{key}={','.join(choices)}" for key, choices in zip(keys, values, strict=True)]]
    return [[f"{key}={value}" for key, value in job.items()] for job in jobs]
