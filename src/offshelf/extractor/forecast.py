"""Estimates of the cost of an extraction, from a short probe."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from offshelf.dataset import Image, digests
from offshelf.errors import BadImagesError
from offshelf.extractor.extractor import Extractor
from offshelf.extractor.request import Request
from offshelf.process.cores import usable_cores
from offshelf.store import Claim, FeatureStore

PROBE_BATCHES = 3
"""Number of batches that are timed, after a first one that is not."""


@dataclass(frozen=True)
class Forecast:
    """The features that are missing, and what it will cost to extract them."""

    images: int
    missing: int
    """Number of distinct images that lack a feature in the store."""
    passes: int
    """Number of views that pass through the network."""
    size: int | None = None
    """Bytes that will be written; None if not probed, or if nothing is missing."""
    seconds: float | None = None
    """Time on this machine, including the start of the engine."""
    how: str = ""
    """Device, precision and engine."""


def estimate(
    store: FeatureStore, extractor: Extractor, images: Sequence[Image], request: Request, probe: bool
) -> Forecast:
    """Count the missing features and, if `probe`, estimate size and time from some of them; nothing is stored.

    Raises:
        BadImagesError: An image of the probe cannot be read.
        BackboneError: The network is unavailable.
    """
    rows = store.missing(list(request.keys(extractor).values()), digests(images))
    plain = Forecast(len(images), len(rows), len(rows) * len(request.views))
    if not probe or not len(rows):
        return plain
    plan = extractor.plan(len(rows), request.backbone)
    start, rate, floats = _probe(extractor, [images[row] for row in rows], request)
    size = len(rows) * (4 * floats + 32)
    return Forecast(plain.images, plain.missing, plain.passes, size, start + len(rows) / rate, str(plan))


def _probe(extractor: Extractor, images: Sequence[Image], request: Request) -> tuple[float, float, int]:
    """Return the seconds to start, then images per second, and values per image."""
    from offshelf.extractor.allocator import keep_freed_memory
    from offshelf.extractor.chunks import Chunk
    from offshelf.extractor.engine import Engines
    from offshelf.extractor.stream import Stream

    count = min(len(images), max(1, (1 + PROBE_BATCHES) * extractor.batch_size // len(request.views)))
    begin = time.perf_counter()
    keep_freed_memory()
    plan = extractor.plan(len(images), request.backbone)
    engines = Engines(request, plan, extractor.engine == "auto")
    engines.eager.to(plan.device)
    stream = Stream(
        [Chunk(np.arange(count), Claim())],
        images,
        request.views,
        request.backbone.preprocessing(),
        extractor.batch_size,
        threads=extractor.workers or len(usable_cores()),
        device=plan.device,
    )
    seen, floats, warm = 0, 0, begin
    for number, batch in enumerate(stream):
        if batch.faults:
            raise BadImagesError(batch.faults)
        features = engines(batch.pixels)
        floats = sum(values.shape[1] for values in features.values()) * len(request.views)
        if number == 0:
            warm = time.perf_counter()
        else:
            seen += extractor.batch_size
    if not seen:  # there is only one batch
        return 0.0, count / (time.perf_counter() - begin), floats
    return warm - begin, seen / len(request.views) / (time.perf_counter() - warm), floats
