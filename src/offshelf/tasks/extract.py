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
from offshelf.extractor import Extractor, Features, Request, ensure, fill, foresee
from offshelf.report import extraction_table, found_line
from offshelf.store import FeatureStore, Use
from offshelf.tasks.on_error import OnError, readable, screen
from offshelf.tasks.results import ExtractionResult
from offshelf.terminal import Notify, discard


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
    notify: Notify = discard,
) -> ExtractionResult:
    """Fill the store with the features of a data set, or estimate what that would comprise.

    For a retrieval set these are the features of the references and of the queries, all through the references' views.
    """
    layers = select_layers(layer, backbone.layer_names(), backbone.name, backbone.module_names)
    loaded: ImageSet | RetrievalSet = dataset.load()
    images, left_out = readable(loaded, on_error)
    request = Request(backbone, layers, pooling, augmentation.views)
    sees = what_it_sees(backbone)
    notify(found_line(images), sees)
    forecast = foresee(store, extractor, images.pictures, request, probe=dry_run)
    notify(extraction_table(forecast, layers, len(request.views)))
    if not dry_run:
        images, more, _ = screen(images, on_error, lambda usable: fill(store, extractor, usable.pictures, request))
        left_out += more
        use = Use(f"extract {images.name} {backbone.name}", "", time.time(), config)
        store.note_use([key.network for key in request.keys(extractor).values()], use)
    return ExtractionResult(
        images=images,
        preprocessing=sees,
        layers=tuple(layers),
        views=len(request.views),
        forecast=forecast,
        dry_run=dry_run,
        left_out=tuple(left_out),
    )


def gather(
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
        return ensure(store, extractor, usable.pictures, request)

    images, _, features = screen(require_labels(dataset.load()), on_error, work)
    return images, features
