"""What an extraction would cost, from a short probe."""

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
"""Batches that are timed, after one that is not."""


@dataclass(frozen=True)
class Forecast:
    """What is missing, and what it will cost."""

    images: int
    missing: int
    """Images to extract: different ones, of which some feature is not in the store."""
    passes: int
    """Views through the network."""
    size: int | None = None
    """Bytes that will be written; None: not probed, or nothing to do."""
    seconds: float | None = None
    """Time on this machine, the start of the engine included."""
    how: str = ""
    """Device, precision and engine."""


def foresee(
    store: FeatureStore, extractor: Extractor, images: Sequence[Image], request: Request, probe: bool
) -> Forecast:
    """What of a request is missing and, where asked, size and time from a probe on some of it; nothing is stored.

    Raises:
        BadImagesError: an image of the probe cannot be read.
        BackboneError: the network cannot be had.
    """
    rows = store.missing(list(request.keys(extractor).values()), digests(images))
    plain = Forecast(len(images), len(rows), len(rows) * len(request.views))
    if not probe or not len(rows):
        return plain
    plan = extractor.plan(len(rows))
    start, rate, floats = _probe(extractor, [images[row] for row in rows], request)
    size = len(rows) * (4 * floats + 32)
    return Forecast(plain.images, plain.missing, plain.passes, size, start + len(rows) / rate, str(plan))


def _probe(extractor: Extractor, images: Sequence[Image], request: Request) -> tuple[float, float, int]:
    """Seconds to start, images a second then, and values an image."""
    from offshelf.extractor.allocator import keep_freed_memory
    from offshelf.extractor.chunks import Chunk
    from offshelf.extractor.engine import Engines
    from offshelf.extractor.stream import Stream

    count = min(len(images), max(1, (1 + PROBE_BATCHES) * extractor.batch_size // len(request.views)))
    begin = time.perf_counter()
    keep_freed_memory()
    plan = extractor.plan(len(images))
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
    if not seen:  # one batch is all there is
        return 0.0, count / (time.perf_counter() - begin), floats
    return warm - begin, seen / len(request.views) / (time.perf_counter() - warm), floats
