"""The task `extract`: the store filled with the features of a data set."""

import time
from collections.abc import Sequence
from typing import Any

from offshelf.augmentation import Augmentation
from offshelf.backbone import Backbone, Pooling, select_layers, what_it_sees
from offshelf.dataset import (
    Dataset,
    ImageSet,
    RetrievalDataset,
    RetrievalSet,
    check_images,
    require_labels,
)
from offshelf.extractor import Extractor, Features, Request, estimate, extract_missing, get_or_extract
from offshelf.report import (
    extraction_table,
    found_line,
    left_out_line,
    repeats_line,
)
from offshelf.store import FeatureStore, Use
from offshelf.tasks.on_error import OnError, readable, screen
from offshelf.terminal import say, terminal


def extract(
    *,
    dataset: Dataset | RetrievalDataset,
    augmentation: Augmentation,
    backbone: Backbone,
    layer: str | Sequence[str],
    pooling: Pooling,
    extractor: Extractor,
    store: FeatureStore,
    dry_run: bool,
    config: dict[str, Any],
    on_error: OnError = "stop",
) -> float:
    """Fill the store with the features of a data set, or say what that would comprise.

    Of a retrieval set these are the references' and the queries', all through the references' views.

    Returns:
        Images whose features were missing.
    """
    layers = select_layers(layer, backbone.layer_names(), backbone.name, backbone.module_names)
    loaded: ImageSet | RetrievalSet = dataset.load()
    images, left_out = readable(loaded, on_error)
    request = Request(backbone, layers, pooling, augmentation.views)
    say(found_line(images), what_it_sees(backbone))
    forecast = estimate(store, extractor, images.pictures, request, probe=dry_run)
    terminal().print(extraction_table(forecast, layers, len(request.views)))
    if not dry_run:
        _, more, _ = screen(
            images, on_error, lambda usable: extract_missing(store, extractor, usable.pictures, request)
        )
        left_out += more
        use = Use(f"extract {images.name} {backbone.name}", "", time.time(), config)
        store.note_use([key.network for key in request.keys(extractor).values()], use)
    say(repeats_line(images, where=""), left_out_line(left_out))
    return float(forecast.missing)


def load_features(
    *,
    dataset: Dataset,
    augmentation: Augmentation,
    backbone: Backbone,
    layer: str | Sequence[str],
    pooling: str,
    extractor: Extractor,
    store: FeatureStore,
    on_error: str,
) -> tuple[ImageSet, Features]:
    """A data set and its features, those that the store lacks extracted."""
    layers = select_layers(layer, backbone.layer_names(), backbone.name, backbone.module_names)
    request = Request(backbone, layers, pooling, augmentation.views)

    def work(usable: ImageSet) -> Features:
        check_images(usable.pictures)
        return get_or_extract(store, extractor, usable.pictures, request)

    images, _, features = screen(require_labels(dataset.load()), on_error, work)
    return images, features
