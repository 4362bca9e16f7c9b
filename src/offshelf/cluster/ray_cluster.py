"""A Ray cluster, and what one actor takes of it."""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from offshelf.errors import ConfigError

GIB = 2**30


@dataclass(frozen=True)
class RayCluster:
    """A Ray cluster, and what one actor takes of it: a frozen spec, for which Ray is not imported."""

    address: str | None = None
    """`auto`, `host:port` or `ray://host:port`; None: RAY_ADDRESS if it is set, else a cluster of this machine alone,
    which ends with the command."""
    jobs: int = 32
    """Largest number of actors at once."""
    cpus: float = 1
    """CPUs of an actor, and, rounded up, the number of its threads."""
    gpus: float = 0
    """GPUs of an actor; a fraction, if several share one."""
    memory_gb: float | None = None
    """Memory of an actor in GiB, by which Ray places it. Ray does not enforce it."""
    retries: int = 1
    """Number of times that work is begun again after its process or node has died."""
    resources: Mapping[str, float] = field(default_factory=dict)
    """Custom resources of an actor, as nodes declare them with `ray start --resources`."""
    runtime_env: Mapping[str, Any] = field(default_factory=dict)
    """Ray's runtime environment, such as `working_dir` for modules of your own."""

    def __post_init__(self) -> None:
        if self.address is not None and not (isinstance(self.address, str) and self.address):
            raise ConfigError(f"address is auto, host:port, ray://host:port or null; got {self.address!r}.")
        for name, least in (("jobs", 1), ("retries", 0)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ConfigError(f"{name} is a whole number, {least} or more; got {value}.")
        self._require_amounts()

    def _require_amounts(self) -> None:
        memory = {} if self.memory_gb is None else {"memory_gb": self.memory_gb}
        for name, value in {"cpus": self.cpus, **memory, **self.resources}.items():
            if not is_number(value) or value <= 0:
                raise ConfigError(f"{name} of an actor is a number above 0; got {value}.")
        if not is_number(self.gpus) or self.gpus < 0 or (self.gpus > 1 and self.gpus != int(self.gpus)):
            raise ConfigError(f"gpus of an actor is a fraction below 1, or a whole number; got {self.gpus}.")

    @property
    def found_at(self) -> str:
        """Address of a running cluster, which is in RAY_ADDRESS under `ray job submit`; empty if there is none."""
        return self.address or os.environ.get("RAY_ADDRESS", "")

    @property
    def threads(self) -> int:
        """Number of threads of an actor."""
        return max(1, math.ceil(self.cpus))

    @property
    def demand(self) -> dict[str, float]:
        """What an actor takes, by the names that Ray has for resources."""
        memory = {"memory": self.memory_gb * GIB} if self.memory_gb else {}
        gpus = {"GPU": self.gpus} if self.gpus else {}
        return {"CPU": self.cpus, **gpus, **memory, **self.resources}

    @property
    def wanted(self) -> str:
        """What an actor takes, in the words of the settings."""
        given = {"cpus": self.cpus, "gpus": self.gpus, "memory_gb": self.memory_gb}
        named = [f"{name}={value}" for name, value in given.items() if value]
        return " ".join([*named, *(f"resources.{name}={value}" for name, value in self.resources.items())])


def is_number(value: Any) -> bool:
    """Return whether a value is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
