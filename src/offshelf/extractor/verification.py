"""Verification of stored features: those of other releases are used only if a sample, extracted again, is equal."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from offshelf.dataset import Image, digests
from offshelf.errors import ImageError, StoreError
from offshelf.extractor.extractor import Extractor
from offshelf.extractor.networks import Networks
from offshelf.extractor.request import Request
from offshelf.releases import changes
from offshelf.store import DamagedShardError, FeatureStore, MemoryStore

log = logging.getLogger(__name__)

TOLERANCE = {"float32": 2e-4, "bfloat16": 3e-2}
"""Largest relative distance: of two engines, each within 1e-4 of PyTorch; in bfloat16 of rounding."""

SAMPLE = 8
"""Number of images that are extracted again for each set of releases."""

LOOKED_AT = 32
"""Number of images from which the sample is chosen: the tallest, widest, largest and smallest, and others."""


@dataclass(frozen=True)
class Comparison:
    """The result of comparing stored features with newly extracted ones."""

    images: int
    differing: int
    distance: float
    """The largest relative distance."""
    where: str
    """Layer and image of the largest distance."""


def require_equal(
    store: FeatureStore, extractor: Extractor, images: Sequence[Image], request: Request, networks: Networks | None
) -> None:
    """Accept features of other releases only if a few images, extracted again, give the same.

    This is done once for each set of releases and each request; the store remembers the result.

    Raises:
        StoreError: They differ; the message names the releases and the way out.
    """
    keys = request.keys(extractor)
    for then, by_layer in _foreign(store, extractor, images, request).items():
        asked = replace(request, layers=tuple(by_layer))
        try:
            compared = compare(store, extractor, images, asked, by_layer, SAMPLE, networks)
        except DamagedShardError:  # its features now count as missing, not as those of other releases
            return require_equal(store, extractor, images, request, networks)
        if compared.differing:
            raise StoreError(
                f"Features of {request.backbone.name} in the store differ from those of today. They were written under "
                f"{changes(then)}; of {compared.images} image(s) extracted again {compared.differing} differ, by up to "
                f"{compared.distance:.1e} ({compared.where}; {TOLERANCE[extractor.precision]:.0e} is allowed). Go back "
                f"to those releases, or remove the features and extract them again: offshelf store prune --backbone "
                f"{request.backbone.name}"
            )
        store.vouch([key for (layer, _), key in keys.items() if layer in by_layer], then)
        log.info(
            "Features of %s were written under %s: %d image(s) extracted again are equal, within %.0e.",
            *(request.backbone.name, changes(then), compared.images, max(compared.distance, 1e-9)),
        )


def _foreign(
    store: FeatureStore, extractor: Extractor, images: Sequence[Image], request: Request
) -> dict[str, dict[str, np.ndarray]]:
    """Return rows of images by the releases that wrote their features, and by layer."""
    keys, names = request.keys(extractor), digests(images)
    rows: dict[str, dict[str, np.ndarray]] = {}
    for layer in request.layers:
        mine = [key for (of, _), key in keys.items() if of == layer]
        for then, found in store.foreign(mine, names).items():
            rows.setdefault(then, {})[layer] = found
    return rows


def recheck(
    store: FeatureStore, extractor: Extractor, images: Sequence[Image], request: Request, count: int
) -> Comparison:
    """Extract some of the images with stored features again, whatever releases wrote them. See `compare`."""
    keys, names = request.keys(extractor), digests(images)
    rows = {}
    for layer in request.layers:
        mine = [key for (of, _), key in keys.items() if of == layer]
        lacking = {names[row] for row in store.missing(mine, names).tolist()}
        found = np.array([row for row, name in enumerate(names) if name not in lacking], np.int64)
        if len(found):
            rows[layer] = found
    if not rows:
        return Comparison(0, 0, 0.0, "nothing is stored")
    return compare(store, extractor, images, replace(request, layers=tuple(rows)), rows, count)


def compare(  # noqa: PLR0913 - what is stored, what is extracted, and which images
    store: FeatureStore,
    extractor: Extractor,
    images: Sequence[Image],
    request: Request,
    rows: Mapping[str, np.ndarray],
    count: int,
    networks: Networks | None = None,
) -> Comparison:
    """Extract some images again, and compare their features with those in the store.

    Args:
        store: Store of the features.
        extractor: Settings with which they were written.
        images: All images.
        request: Features to extract.
        rows: Row numbers of the images with stored features by layer, at least one each.
        count: Number of images per layer.
        networks: As for `predict`.
    """
    from offshelf.extractor.runner import predict  # imports torch and Lightning

    chosen = {layer: sample(images, numbers, count) for layer, numbers in rows.items()}
    again = sorted(set().union(*chosen.values()))
    fresh, one = MemoryStore(), replace(extractor, processes=1, cluster=None)
    predict(one, [images[row] for row in again], request, fresh, networks)
    names = digests(images)
    worst, where, differing = 0.0, "all are equal", set[int]()
    for (layer, _), key in request.keys(extractor).items():
        mine = [names[row] for row in chosen[layer]]
        stored, today = (place.read([key], mine)[:, 0].astype(np.float64) for place in (store, fresh))
        distances = np.linalg.norm(stored - today, axis=1) / np.maximum(np.linalg.norm(stored, axis=1), 1e-30)
        differing |= {row for row, far in zip(chosen[layer], distances, strict=True) if far > TOLERANCE[one.precision]}
        if len(distances) and distances.max() > worst:
            worst, where = float(distances.max()), f"layer {layer} of {images[chosen[layer][int(distances.argmax())]]}"
    return Comparison(len(again), len(differing), worst, where)


def sample(images: Sequence[Image], rows: np.ndarray, count: int) -> list[int]:
    """Choose rows of images that differ in shape and size, judged by opening a few; all rows if there are few."""
    if len(rows) <= count:
        return [int(row) for row in rows]
    places = np.linspace(0, len(rows) - 1, min(len(rows), max(LOOKED_AT, count))).astype(int)
    shapes = dict(_shapes(images, (int(rows[place]) for place in places)))
    seen = list(shapes)
    extremes = [
        pick(seen, key=value)
        for value in (lambda row: shapes[row][0] / shapes[row][1], lambda row: shapes[row][0] * shapes[row][1])
        for pick in (max, min)
        if seen
    ]
    evenly = [seen[place] for place in np.linspace(0, len(seen) - 1, count).astype(int)] if seen else []
    return sorted(list(dict.fromkeys([*extremes, *evenly]))[:count])


def _shapes(images: Sequence[Image], rows: Iterable[int]) -> Iterable[tuple[int, tuple[int, int]]]:
    """Yield row, height and width of the images that can be read."""
    for row in rows:
        try:
            height, width = images[row].load().shape[:2]
        except ImageError:
            continue
        yield row, (height, width)
