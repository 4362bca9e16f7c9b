"""The settings of an extraction: device, engine, batch, workers, processes. Only precision affects the numbers."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from offshelf.augmentation import View
from offshelf.backbone import Backbone, Pixels, place_of
from offshelf.cluster import RayCluster
from offshelf.errors import ConfigError
from offshelf.extractor.plan import ENGINES, Plan, choose
from offshelf.identity import digest
from offshelf.store import FeatureKey

_IDENTITY = {"identity": False}


SMALLEST_BATCH = 2
"""Number of views from which on batches of all sizes give equal features, as the tests check."""


@dataclass(frozen=True)
class Extractor:
    """Settings of an extraction, which `predict` executes."""

    precision: Literal["float32", "bfloat16"] = "float32"
    """Arithmetic of the forward pass. It belongs to a feature's identity, because it changes the numbers."""
    device: str = field(default="auto", metadata=_IDENTITY)
    """`auto` (a GPU if there is one), `cpu` or `cuda`."""
    engine: str = field(default="auto", metadata=_IDENTITY)
    """Engine that executes the network: `auto`, `eager` (PyTorch), `compile` (torch.compile) or `openvino`.

    In float32 engines agree within a relative distance of 1e-4, which every extraction checks on its first image; the
    engine does not belong to a feature's identity. In bfloat16 engines differ, and it does.
    """
    batch_size: int = field(default=32, metadata=_IDENTITY)
    """Views per forward pass. 1 is taken as 2: other kernels compute a single view, with other last digits."""
    workers: int | None = field(default=None, metadata=_IDENTITY)
    """Threads that decode images and make views; null: one per core."""
    processes: int = field(default=1, metadata=_IDENTITY)
    """Number of processes (GPUs, if there are any) that run the network."""
    chunk: int = field(default=256, metadata=_IDENTITY)
    """Images per shard: the most that an interruption costs."""
    cluster: Literal["ray"] | None = field(default=None, metadata=_IDENTITY)
    """`ray`: the network runs in actors on the nodes of a Ray cluster; None: in this process or `processes` of it."""
    ray: RayCluster = field(default=RayCluster(retries=5), metadata=_IDENTITY)
    """The cluster and what an actor takes of it, for cluster=ray."""

    def __post_init__(self) -> None:
        for name, least in (("batch_size", 1), ("workers", 1), ("processes", 1), ("chunk", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ConfigError(f"extractor.{name} must be at least {least}; got {value}.")
        for name, choices in (
            ("precision", ("float32", "bfloat16")),
            ("device", ("auto", "cpu", "cuda")),
            ("engine", ("auto", *ENGINES)),
        ):
            if getattr(self, name) not in choices:
                raise ConfigError(f"extractor.{name} must be {_either(choices)}; got '{getattr(self, name)}'.")
        if self.cluster not in (None, "ray"):
            raise ConfigError(f"extractor.cluster is ray, or null for this machine; got '{self.cluster}'.")
        object.__setattr__(self, "batch_size", max(SMALLEST_BATCH, self.batch_size))

    def key(self, backbone: Backbone, layer: str, pooling: str, view: View) -> FeatureKey:
        """Return the identity of one layer's features of one view."""
        network: dict[str, Any] = {"backbone": backbone.identity(), "precision": self.precision}
        if self.precision != "float32":
            engine = self.plan().engine
            network["engine"] = "openvino, filters rounded by sums" if engine == "openvino" else engine
        name = f"{backbone.name} {self.precision}"
        return FeatureKey(digest(network), *place_of(backbone, layer, pooling), view, name)

    def plan(self, images: int | None = None, backbone: Backbone | None = None) -> Plan:
        """Return device and engine for a number of images (None: very many), and why. Raises ConfigError."""
        plan = choose(self.device, self.engine, self.precision, images)
        chosen = (self.engine, plan.engine, plan.precision)
        if isinstance(backbone, Pixels) and chosen == ("auto", "openvino", "float32"):
            return replace(plan, engine="eager", why="no network")
        return plan


def _either(choices: Sequence[str]) -> str:
    return f"{', '.join(choices[:-1])} or {choices[-1]}"
