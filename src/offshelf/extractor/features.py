"""Features from a store, and the extraction of missing ones."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from offshelf.dataset import Image, digests
from offshelf.errors import MissingFeatureError, StoreError
from offshelf.extractor.extractor import Extractor
from offshelf.extractor.networks import Networks
from offshelf.extractor.on_cluster import predict_on_cluster
from offshelf.extractor.request import Request
from offshelf.extractor.verification import require_equal
from offshelf.identity import digest
from offshelf.memo import once
from offshelf.store import DamagedShardError, FeatureStore, GoneShardError

TRIES = 5
"""Number of times that features are extracted again before the store is given up."""


@dataclass(frozen=True)
class Cost:
    """The cost of obtaining features."""

    extracted: int = 0
    """Number of images that passed through the network; the others were in the store."""
    seconds: float = 0.0
    how: str = "from the store"
    """Device, precision and engine."""


@dataclass(frozen=True, eq=False)
class Features:
    """Features of N images, and the cost of obtaining them."""

    values: dict[str, np.ndarray]
    """Features by layer name, float32 [N, V, D_layer]."""
    digest: str
    """Identity of the features: all keys and all images."""
    cost: Cost
    widths: Mapping[str, int] = field(default_factory=dict)
    """Of a feature that several layers' are concatenated into: the dimensions of each layer, in their order."""

    def joined(self, name: str) -> "Features":
        """Return the features of all layers as one of the given name, concatenated in their order."""
        layers = list(self.values.values())
        widths = {layer: values.shape[-1] for layer, values in self.values.items()}
        one = layers[0] if len(layers) == 1 else np.concatenate(layers, axis=-1)
        return replace(self, values={name: one}, widths=widths)

    def by_layer(self) -> dict[str, np.ndarray]:
        """Return the features by layer, float32 [N, V, D_layer], also of layers that are joined, without copies."""
        if not self.widths:
            return self.values
        (joined,) = self.values.values()
        parts = np.split(joined, np.cumsum(list(self.widths.values()))[:-1], axis=-1)
        return dict(zip(self.widths, parts, strict=True))


def extract_missing(
    store: FeatureStore,
    extractor: Extractor,
    images: Sequence[Image],
    request: Request,
    networks: Networks | None = None,
) -> Cost:
    """Extract the features that the store lacks. If it lacks none, no network is built.

    A network in `networks` is reused; see `predict`.

    Raises:
        BadImagesError: Images cannot be read. The features of all others are in the store.
        BackboneError: The network or a layer is unavailable.
        StoreError: The store cannot be read or written, or features that other releases wrote differ today.
    """
    keys = list(request.keys(extractor).values())
    start = time.perf_counter()
    if store.has_foreign(keys[0]):
        require_equal(store, extractor, images, request, networks)
    missing = store.missing(keys, digests(images))
    if not len(missing):
        return Cost()
    if extractor.cluster:
        how = predict_on_cluster(extractor, images, request, store)
    else:
        from offshelf.extractor.runner import predict  # imports torch and Lightning

        how = predict(extractor, images, request, store, networks)
    return Cost(len(missing), time.perf_counter() - start, how)


def get_or_extract(
    store: FeatureStore,
    extractor: Extractor,
    images: Sequence[Image],
    request: Request,
    networks: Networks | None = None,
) -> Features:
    """Return the features of the images: stored ones are read, missing ones are extracted.

    A shard that is damaged or was removed counts as missing, and its features are extracted again. Jobs that share a
    memo (`offshelf.memo`) read features once, and the first of them bears the cost.

    Raises:
        As `extract_missing`.
    """
    keys, names = request.keys(extractor), digests(images)
    identity = digest({"keys": [key.digest for key in keys.values()], "images": names})
    cost = Cost()

    def read() -> dict[str, np.ndarray]:
        nonlocal cost
        why: StoreError | None = None
        for _ in range(TRIES):
            done = extract_missing(store, extractor, images, request, networks)
            how = done.how if done.extracted else cost.how
            cost = Cost(cost.extracted + done.extracted, cost.seconds + done.seconds, how)
            try:
                return {
                    layer: store.read([keys[layer, view] for view in range(len(request.views))], names)
                    for layer in request.layers
                }
            except (DamagedShardError, MissingFeatureError) as error:
                why = error
        if isinstance(why, GoneShardError | MissingFeatureError):
            raise StoreError("Features are removed from the store as fast as they are extracted: check what prunes it.")
        raise StoreError(
            "What is written to the feature store reads back changed, again and again: its disk is failing."
        )

    values = once(read, "features", identity)
    return Features(values, identity, cost)
