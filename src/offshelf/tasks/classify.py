"""The task `classify`: layers scored by a classifier on their frozen features."""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from offshelf.augmentation import Augmentation
from offshelf.backbone import Backbone, Pooling, select_layers, what_it_sees
from offshelf.classifier import Classifier
from offshelf.dataset import (
    Dataset,
    ImageSet,
    require_labels,
    value_range,
)
from offshelf.evaluation.classification import Probe, Score
from offshelf.extractor import Extractor, Features, Request, ensure
from offshelf.metric import Bootstrap
from offshelf.model import Model, identify
from offshelf.postprocess import Transformer
from offshelf.report import found_line
from offshelf.runs.classification import Record
from offshelf.runs.recorder import run_title
from offshelf.store import FeatureKey, FeatureStore, Use
from offshelf.tasks.features import with_others
from offshelf.tasks.known_layers import require_layers
from offshelf.tasks.on_error import OnError, readable, screen
from offshelf.tasks.results import ClassificationResult
from offshelf.terminal import Notify, discard
from offshelf.tracking import Tracker


def classify(
    *,
    dataset: Dataset,
    augmentation: Augmentation,
    backbone: Backbone,
    layer: str | Sequence[str],
    pooling: Pooling,
    extractor: Extractor,
    store: FeatureStore,
    postprocess: Transformer,
    classifier: Classifier,
    baseline: Backbone | None,
    bootstrap: Bootstrap,
    tracking: Tracker,
    output_dir: str,
    config: dict[str, Any],
    on_error: OnError = "stop",
    name: str | None = None,
    keep_model_mb: float = 200,
    notify: Notify = discard,
) -> ClassificationResult:
    """Score frozen features of one or several layers with a linear classifier.

    Extraction, choice of the hyperparameter on the training images, fit, and one reading of the test images, in this
    order. With several layers there is a run for each, under one parent, and the reported layer is the one that
    cross-validation on the training images prefers. `name` is what the tracker calls the run, instead of its data set,
    backbone and layer. The reported layer's model is kept if it takes at most `keep_model_mb` megabytes (10^6 bytes).

    Returns:
        All scores; as a number, the data set's official metric on the test images (the mean over folds, where there
        are several).
    """
    tracking.check()
    layers = select_layers(layer, backbone.layer_names(), backbone.name, backbone.module_names)
    requests = with_others(Request(backbone, tuple(layers), pooling, augmentation.views), baseline)
    probe = Probe(postprocess, classifier, bootstrap)
    images = require_labels(dataset.load())
    images.require_training()
    images, left_out = readable(images, on_error)
    require_layers(requests, extractor, store, images.pictures)

    def gather(usable: ImageSet) -> list[Features]:
        return [ensure(store, extractor, usable.pictures, request) for request in requests]

    notify(found_line(images), what_it_sees(backbone))
    title = name or run_title(images.name, backbone.name, layers)
    with tracking.start(title, Path(output_dir)) as run:
        record = Record(run, images, backbone.name, config, Path(output_dir))
        record.begin(layers)
        images, more, (features, *others) = screen(images, on_error, gather)
        left_out += more
        record = replace(record, images=images, left_out=left_out)
        record.data()
        networks = [key.network for request in requests for key in request.keys(extractor).values()]
        store.note_use(networks, Use(title, run.id, time.time(), config))

        names = [request.backbone.name for request in requests]
        scores, *others_scores = _score((features, *others), names, probe, record, len(layers) > 1)
        baselines = [score for each in others_scores for score in each]
        chosen = choose(scores)
        metrics = record.end(scores, baselines, chosen, features)
        model = _model(chosen, images, requests[0].keys(extractor))
        note = record.keep(model, keep_model_mb) if keep_model_mb else ""
    return ClassificationResult(
        title=title,
        run_id=run.id,
        folder=record.folder,
        whereabouts=record.whereabouts(),
        metrics=metrics,
        left_out=tuple(left_out),
        images=images,
        scores=tuple(scores),
        baselines=tuple(baselines),
        chosen=chosen,
        model=model,
        model_note=note,
    )


def _score(
    found: Sequence[Features], names: Sequence[str], probe: Probe, record: Record, has_runs: bool
) -> list[list[Score]]:
    """Scores of all layers of some backbones; where each has a run, one is written down while the next is fitted."""
    scores: list[list[Score]] = [[] for _ in found]
    written: list[Future[None]] = []
    with ThreadPoolExecutor(1, "record") as recorder:
        for features, name, mine in zip(found, names, scores, strict=True):
            for layer_name, values in features.values.items():
                mine.append(probe.score(layer_name, values, record.images, features.digest))
                if has_runs:
                    written.append(recorder.submit(record.layer, mine[-1], name, features.digest))
    for layer_run in written:
        layer_run.result()
    return scores


def choose(scores: Sequence[Score]) -> Score:
    """The layer with the best cross-validated metric on training images; without cross-validation, the last layer.

    Never by a test metric: the test images are for reporting.
    """
    by = f"cv/{scores[0].metric}"
    if all(by in score.metrics for score in scores):
        return max(scores, key=lambda score: score.metrics[by])
    return scores[-1]


def _model(chosen: Score, images: ImageSet, keys: Mapping[tuple[str, int], FeatureKey]) -> Model | None:
    """What the first fold's training images taught; None of a classifier that cannot be kept."""
    fit = chosen.fits[0]
    scorer = fit.scorer
    if not scorer:
        return None
    features = identify(key for (layer, _), key in keys.items() if layer == chosen.name)
    return Model(
        chosen.name,
        features,
        images.classes,
        images.is_multilabel,
        chosen.transformers[0],
        scorer,
        fit.calibration,
        value_range(images.pictures),
    )
