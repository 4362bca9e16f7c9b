"""The task `retrieve`: every query searches all references by frozen features."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from offshelf.augmentation import Augmentation
from offshelf.backbone import Backbone, Pooling, what_it_sees
from offshelf.dataset import (
    Dataset,
    ImageSet,
    RetrievalDataset,
    RetrievalSet,
    load_searched,
    require_retrieval,
)
from offshelf.errors import ConfigError
from offshelf.evaluation.retrieval import RetrievalProbe, RetrievalScore
from offshelf.extractor import Extractor, Features
from offshelf.identity import digest
from offshelf.layer_fusion import LayerFusion
from offshelf.metric import Bootstrap
from offshelf.postprocess import Transformer, adapts, learns
from offshelf.report import found_line
from offshelf.retrieval import Retrieval
from offshelf.runs.recorder import run_title
from offshelf.runs.retrieval_recorder import RetrievalRecorder
from offshelf.store import FeatureStore
from offshelf.tasks.features import FeatureSpec
from offshelf.tasks.on_error import OnError, check_readable, skip_unreadable
from offshelf.tasks.results import RetrievalResult
from offshelf.tasks.results.retrieval import retrieval_lines
from offshelf.terminal import Notify, discard
from offshelf.tracking import Tracker

FITTED_ON = "postprocess_learnt_from"
"""Tag that names the images postprocessing was fitted on, if it has anything to fit."""


def retrieve(
    *,
    dataset: Dataset | RetrievalDataset,
    augmentation: Augmentation,
    backbone: Backbone,
    layer: str | Sequence[str],
    pooling: Pooling,
    extractor: Extractor,
    store: FeatureStore,
    postprocess: Transformer,
    retrieval: Retrieval,
    bootstrap: Bootstrap,
    tracking: Tracker,
    output_dir: str,
    config: dict[str, Any],
    query_augmentation: Augmentation | None = None,
    postprocess_dataset: Dataset | RetrievalDataset | None = None,
    layer_fusion: LayerFusion | None = None,
    on_error: OnError = "stop",
    name: str | None = None,
    notify: Notify = discard,
) -> RetrievalResult:
    """Rank all references for each query by frozen features of one or several layers.

    Any set of single labels is accepted too: a class is an object, and each image is a query for all others. With
    several layers there is a run for each under one parent. The last layer is the reported one, because there are no
    training images to choose a layer by.

    Args:
        dataset: References and queries, or images with single labels.
        augmentation: Views of a reference.
        backbone: The network.
        layer: Layers: a name, a list, a pattern, `all` or `last`.
        pooling: How the map of a layer becomes a vector.
        extractor: How the network is run.
        store: Where features are kept.
        postprocess: Transform of features.
        retrieval: How near a reference is to a query.
        bootstrap: Intervals of the metrics, over queries.
        tracking: Where the run is logged.
        output_dir: Folder for the results.
        config: The resolved config, which is recorded.
        query_augmentation: Views of queries; by default those of the references.
        postprocess_dataset: Images that postprocessing is fitted on; by default the references.
        layer_fusion: How the features of several layers become one; None: each layer is scored by itself.
        on_error: `stop` at images that cannot be read, or `skip` them.
        name: Name of the run in the tracker; by default its data set, backbone and layer.
        notify: Receives what is known before the work.

    Returns:
        All scores. As a number it is the data set's official metric.

    Raises:
        ConfigError: `query_augmentation` or `postprocess_dataset` is the name of a component instead of a component, or
            postprocessing is for training and test images.
        BackboneError: the network, or one of the layers, is not available.
        DatasetError: the data set is not available, or is not a retrieval set.
        BadImagesError: images cannot be read, and `on_error` is `stop`.
        StoreError: the store or the output folder cannot be read or written.
        TrackingError: the tracker is not available.
    """
    _require_component("augmentation", "query_augmentation", query_augmentation)
    _require_component("dataset", "postprocess_dataset", postprocess_dataset)
    if adapts(postprocess):
        raise ConfigError(
            "standardize_domains is for the training and test images of a classification: retrieve with standardize."
        )
    tracking.check()
    spec = FeatureSpec(
        dataset=dataset,
        augmentation=augmentation,
        backbone=backbone,
        layer=layer,
        pooling=pooling,
        extractor=extractor,
        store=store,
        query_augmentation=query_augmentation,
        postprocess_dataset=postprocess_dataset,
        layer_fusion=layer_fusion,
        on_error=on_error,
    )
    names, probe = spec.names, RetrievalProbe(postprocess, retrieval, bootstrap, layer_fusion)
    images, left_out = check_readable(require_retrieval(load_searched(dataset)), on_error)
    fit_images = check_readable(load_searched(postprocess_dataset), on_error)[0] if postprocess_dataset else None
    spec.require_layers(images.pictures)
    notify(found_line(images), what_it_sees(backbone))
    title = name or run_title(images.name, backbone.name, names)
    with tracking.start(title, Path(output_dir)) as run:
        recorder = RetrievalRecorder(run, images, backbone.name, config, Path(output_dir))
        recorder.begin(spec.listed)
        if not spec.is_stored(images):
            run.confirm()
        images, more, parts = spec.extract_retrieval(images)
        recorder = replace(recorder, images=images, left_out=[*left_out, *more])
        recorder.data()
        if learns(postprocess):
            tags = _fitted_on(fit_images)
            run.log(tags=tags)
            notify(f"Postprocessing learns from {tags[FITTED_ON]}.")
        found = [*parts, *([_fit_features(spec, fit_images)] if fit_images else [])]
        scores, identity = _score(found, names, probe, recorder)
        metrics = recorder.end(scores, scores[-1], identity, [features.cost for features in found])
        run.finish(lambda: recorder.draw(scores, scores[-1]))
        notify(*retrieval_lines(scores, title, images, recorder.left_out))
    spec.note_use(title, run.id, config)
    return RetrievalResult(run=recorder.summary(title, metrics), images=images, scores=tuple(scores))


def _fit_features(spec: FeatureSpec, images: ImageSet | RetrievalSet) -> Features:
    """Return features of the images that postprocessing is fitted on, seen as references are."""
    return skip_unreadable(images, spec.on_error, lambda usable: spec.extract(usable.pictures))[2]


def _score(
    found: Sequence[Features], layers: Sequence[str], probe: RetrievalProbe, recorder: RetrievalRecorder
) -> tuple[list[RetrievalScore], str]:
    """Score all layers by the features of references, of queries, and of the images that postprocessing is fitted on.

    Returns:
        The scores, logged as a run each if there are several, and the digest of all features.
    """
    identity = digest([features.digest for features in found])
    scores = []
    for layer in layers:
        references, queries, *fit_features = (features.values[layer] for features in found)
        scores.append(probe.on(found[0]).score(layer, references, queries, recorder.images, *fit_features))
        if len(layers) > 1:
            recorder.layer(scores[-1], identity)
    return scores, identity


def _require_component(group: str, key: str, given: object) -> None:
    if isinstance(given, str):
        raise ConfigError(f"{key} is one of the group {group}, not a word: {group}@{key}={given}")


def _fitted_on(images: ImageSet | RetrievalSet | None) -> dict[str, str]:
    """Return tags that name the images postprocessing is fitted on; fitted on the references, it may know too much."""
    if images is None:
        return {FITTED_ON: "the references that are searched"}
    return {FITTED_ON: images.name, "postprocess_data_digest": images.digest}
