"""The task `extract`: the store filled with the features of a data set."""

from collections.abc import Sequence
from typing import Any

from offshelf.augmentation import Augmentation
from offshelf.backbone import Backbone, Pooling, what_it_sees
from offshelf.dataset import (
    Dataset,
    ImageSet,
    RetrievalDataset,
    RetrievalSet,
)
from offshelf.extractor import Extractor
from offshelf.layer_fusion import LayerFusion
from offshelf.report import (
    extraction_table,
    found_line,
)
from offshelf.store import FeatureStore
from offshelf.tasks.features import FeatureSpec
from offshelf.tasks.on_error import OnError, check_readable, skip_unreadable
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
    layer_fusion: LayerFusion | None = None,
    on_error: OnError = "stop",
    notify: Notify = discard,
) -> ExtractionResult:
    """Fill the store with the features of a data set, or estimate what that would comprise.

    For a retrieval set these are the features of the references and of the queries, all through the references' views.

    Raises:
        BackboneError: the network, or one of the layers, is not available.
        DatasetError: the data set is not available.
        BadImagesError: images cannot be read, and `on_error` is `stop`.
        StoreError: the store cannot be read or written.
    """
    spec = FeatureSpec(
        dataset=dataset,
        augmentation=augmentation,
        backbone=backbone,
        layer=layer,
        pooling=pooling,
        extractor=extractor,
        store=store,
        layer_fusion=layer_fusion,
        on_error=on_error,
    )
    layers, preprocessing = spec.layers, what_it_sees(backbone)
    loaded: ImageSet | RetrievalSet = dataset.load()
    images, left_out = check_readable(loaded, on_error)
    notify(found_line(images), preprocessing)
    forecast = spec.estimate(images.pictures, probe=dry_run)
    notify(extraction_table(forecast, layers, len(augmentation.views)))
    if not dry_run:
        images, more, _ = skip_unreadable(images, on_error, lambda usable: spec.fill(usable.pictures))
        left_out += more
        spec.note_use(f"extract {images.name} {backbone.name}", "", config)
    return ExtractionResult(
        images=images,
        preprocessing=preprocessing,
        layers=layers,
        views=len(augmentation.views),
        forecast=forecast,
        dry_run=dry_run,
        left_out=tuple(left_out),
    )
