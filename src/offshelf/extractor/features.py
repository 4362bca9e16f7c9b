"""Features from a store, and the extraction of those it lacks."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from offshelf.dataset import Image, digests
from offshelf.errors import MissingFeatureError, StoreError
from offshelf.extractor.extractor import Extractor
from offshelf.extractor.networks import Networks
from offshelf.extractor.request import Request
from offshelf.extractor.verification import require_equal
from offshelf.identity import digest
from offshelf.memo import once
from offshelf.store import DamagedShardError, FeatureStore, GoneShardError

TRIES = 5
"""Times that features are extracted again before a store is given up."""


@dataclass(frozen=True)
class Cost:
    """What it took to have the features."""

    extracted: int = 0
    """Images that had to be passed through the network; the others were in the store."""
    seconds: float = 0.0
    how: str = "from the store"
    """Device, precision and engine."""


@dataclass(frozen=True, eq=False)
class Features:
    """Features of N images from a store, and what it cost to have them."""

    values: dict[str, np.ndarray]
    """Layer name to float32 [N, V, D_layer]."""
    digest: str
    """Identity of the numbers: all keys and all images."""
    cost: Cost


def fill(
    store: FeatureStore,
    extractor: Extractor,
    images: Sequence[Image],
    request: Request,
    networks: Networks | None = None,
) -> Cost:
    """Extract what the store lacks. A request whose features are all there builds no network.

    A network among `networks` is not built anew; see `predict`.

    Raises:
        BadImagesError: images that cannot be read; the features of all others are in the store.
        BackboneError: the network, or one of the layers, cannot be had.
        StoreError: the store cannot be read or written, or what other releases wrote comes out otherwise today.
    """
    keys = list(request.keys(extractor).values())
    start = time.perf_counter()
    if store.has_foreign(keys[0]):
        require_equal(store, extractor, images, request, networks)
    missing = store.missing(keys, digests(images))
    if not len(missing):
        return Cost()
    from offshelf.extractor.predict import predict  # imports torch and Lightning

    how = predict(extractor, images, request, store, networks)
    return Cost(len(missing), time.perf_counter() - start, how)


def ensure(
    store: FeatureStore,
    extractor: Extractor,
    images: Sequence[Image],
    request: Request,
    networks: Networks | None = None,
) -> Features:
    """Features of the images: those in the store are read, only the missing ones are extracted.

    A shard that proves damaged on reading, or was removed, counts as missing: its features are extracted again. Jobs
    that share read them once (`offshelf.memo`), and the cost is the first's.

    Raises:
        As `fill`.
    """
    keys, names = request.keys(extractor), digests(images)
    identity = digest({"keys": [key.digest for key in keys.values()], "images": names})
    cost = Cost()

    def read() -> dict[str, np.ndarray]:
        nonlocal cost
        why: StoreError | None = None
        for _ in range(TRIES):
            done = fill(store, extractor, images, request, networks)
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
            raise StoreError("Features are removed from the store as fast as they are extracted: see who prunes it.")
        raise StoreError(
            "What is written to the feature store comes back changed, again and again: its disk is failing."
        )

    values = once(read, "features", identity)
    return Features(values, identity, cost)
