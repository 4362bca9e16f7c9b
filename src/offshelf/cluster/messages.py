"""What this process and the one that holds Ray tell each other. Payloads are pickled, and opaque to the latter."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from offshelf.cluster.ray_cluster import RayCluster

PASSED = ("OFFSHELF_", "MLFLOW_", "AWS_", "GOOGLE_", "AZURE_", "HF_")
"""Beginnings of the names of environment variables that travel to the nodes.

They travel as arguments of actors: Ray writes those of a runtime environment into its logs in plain text.
"""

NODE_DIED = "its node died, or cannot be reached"


@dataclass(frozen=True)
class Begin:
    """Connect to a cluster, or start one."""

    cluster: RayCluster
    make: bytes
    """A pickled function without arguments, which makes what an actor's calls go to."""
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Open:
    """Ask the cluster for actors of these numbers."""

    seats: tuple[int, ...]


@dataclass(frozen=True)
class Call:
    """Pass arguments to an actor."""

    seat: int
    call: int
    arguments: bytes


@dataclass(frozen=True)
class End:
    """Let go of an actor that is idle."""

    seat: int


@dataclass(frozen=True)
class Stop:
    """End what is running, and leave."""


@dataclass(frozen=True)
class Refused:
    """The cluster cannot be used."""

    why: str


@dataclass(frozen=True)
class Note:
    """A line for the user."""

    text: str


@dataclass(frozen=True)
class Here:
    """An actor has started."""

    seat: int


@dataclass(frozen=True)
class Returned:
    """A call has returned."""

    seat: int
    call: int
    value: bytes


@dataclass(frozen=True)
class Died:
    """An actor, or its node, has died; its calls are lost."""

    seat: int
    why: str


Command = Begin | Open | Call | End | Stop
Event = Refused | Note | Here | Returned | Died


def travelling() -> dict[str, str]:
    """Return the environment variables that travel to the nodes."""
    return {name: value for name, value in os.environ.items() if name.startswith(PASSED)}
