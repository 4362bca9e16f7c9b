"""How forward passes run: device, precision, batch, workers, processes; never what is computed, save the precision."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from offshelf.augmentation import View
from offshelf.backbone.backbone import Backbone
from offshelf.dataset import Image
from offshelf.errors import ConfigError
from offshelf.identity import digest
from offshelf.store import FeatureKey, FeatureStore

_IDENTITY = {"identity": False}


@dataclass(frozen=True)
class Extractor:
    """Runs a backbone over images and leaves the features in a store."""

    precision: Literal["float32", "bfloat16"] = "float32"
    """Arithmetic of the forward pass; part of a feature's identity, because it changes the numbers."""
    device: str = field(default="auto", metadata=_IDENTITY)
    """`auto` (the GPU where there is one), `cpu` or `cuda`."""
    batch_size: int = field(default=32, metadata=_IDENTITY)
    """Images per forward pass."""
    workers: int = field(default=0, metadata=_IDENTITY)
    """Processes that decode images beside the one that runs the network."""
    processes: int = field(default=1, metadata=_IDENTITY)
    """Processes (GPUs, where there are any) that run the network."""
    chunk: int = field(default=256, metadata=_IDENTITY)
    """Images per shard: what an interruption costs at most."""

    def __post_init__(self) -> None:
        for name, least in (("batch_size", 1), ("workers", 0), ("processes", 1), ("chunk", 1)):
            if getattr(self, name) < least:
                raise ConfigError(f"extractor.{name} must be at least {least}; got {getattr(self, name)}.")
        if self.precision not in ("float32", "bfloat16"):
            raise ConfigError(f"extractor.precision is float32 or bfloat16; got '{self.precision}'.")
        if self.device not in ("auto", "cpu", "cuda"):
            raise ConfigError(f"extractor.device is auto, cpu or cuda; got '{self.device}'.")

    def key(self, backbone: Backbone, layer: str, pooling: str, view: View) -> FeatureKey:
        """The identity of one layer's features through one view."""
        network = digest({"backbone": backbone.identity(), "precision": self.precision})
        return FeatureKey(network, backbone.module_of(layer), pooling, view)

    def run(self, images: Sequence[Image], request: "Request", store: FeatureStore) -> None:
        """Extract the request's features of all the images into the store, one decode and one pass an image."""
        from offshelf.extractor.predict import predict

        predict(self, images, request, store)


@dataclass(frozen=True)
class Request:
    """What to compute: a backbone's layers, how their maps are pooled, and the views they see."""

    backbone: Backbone
    layers: tuple[str, ...]
    pooling: str
    views: tuple[View, ...]

    def keys(self, extractor: Extractor) -> dict[tuple[str, int], FeatureKey]:
        """Feature keys by (layer, view number)."""
        network = extractor.key(self.backbone, self.layers[0], self.pooling, self.views[0]).network
        return {
            (layer, number): FeatureKey(network, self.backbone.module_of(layer), self.pooling, view)
            for layer in self.layers
            for number, view in enumerate(self.views)
        }


@dataclass(frozen=True, eq=False)
class Features:
    """Features of N images from a store, and what it cost to have them."""

    values: dict[str, np.ndarray]
    """Layer name to float32 [N, V, D_layer]."""
    digest: str
    """Identity of the numbers: all keys and all images."""
    extracted: int
    """Images that had to be passed through the network; the others were in the store."""
    seconds: float
    """Seconds that took."""


def ensure(store: FeatureStore, extractor: Extractor, images: Sequence[Image], request: Request) -> Features:
    """Features of the images: those in the store are read, only the missing ones are extracted.

    A request whose features are all in the store builds no network.

    Raises:
        ImageError: an image cannot be read.
        BackboneError: the network, or one of the layers, cannot be had.
        StoreError: the store cannot be read or written.
    """
    import time

    keys = request.keys(extractor)
    names = [image.digest for image in images]
    missing = store.missing(list(keys.values()), names)
    start = time.perf_counter()
    if len(missing):
        extractor.run([images[row] for row in missing], request, store)
    seconds = time.perf_counter() - start
    values = {
        layer: np.stack([store.get(keys[layer, view], names) for view in range(len(request.views))], axis=1)
        for layer in request.layers
    }
    _require_finite(values, request.backbone.name)
    identity = digest({"keys": [key.digest for key in keys.values()], "images": names})
    return Features(values, identity, len(missing), seconds if len(missing) else 0.0)


def _require_finite(values: dict[str, np.ndarray], name: str) -> None:
    from offshelf.errors import BackboneError

    for layer, array in values.items():
        if not np.isfinite(array).all():
            rows = int((~np.isfinite(array).all(axis=(1, 2))).sum())
            raise BackboneError(
                f"{name} gives values that are not finite at layer {layer} for {rows} of {len(array)} images; "
                "try extractor.precision=float32, or other weights."
            )
