"""The tasks: what a command line runs. Each is a plain function of the components its config names."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from offshelf.augmentation import Augmentation
from offshelf.backbone import Backbone, layer_table, select_layers
from offshelf.classifier import Classifier
from offshelf.dataset import Dataset, ImageSet, check_images
from offshelf.evaluate import Score, evaluate
from offshelf.extractor import Extractor, Features, Request, ensure
from offshelf.postprocess import Transformer
from offshelf.record import Record
from offshelf.report import extraction_table, layer_listing, open_grids, score_table
from offshelf.store import FeatureStore
from offshelf.tracking import Tracker


def classify(
    *,
    dataset: Dataset,
    augmentation: Augmentation,
    backbone: Backbone,
    layer: str | Sequence[str],
    pooling: str,
    extractor: Extractor,
    store: FeatureStore,
    postprocess: Transformer,
    classifier: Classifier,
    baseline: Backbone | None,
    tracking: Tracker,
    output_dir: str,
    config: dict[str, Any],
) -> float:
    """Score frozen features of one or several layers with a linear classifier.

    Extraction, choice of C on the training images, fit, and one reading of the test images, in this order. With
    several layers there is a run for each, under one parent, and the reported layer is the one that cross-validation
    on the training images prefers.

    Returns:
        The data set's official metric on the test images (the mean over folds, where there are several).
    """
    layers = select_layers(layer, backbone.layer_names(), backbone.name)
    images = _load(dataset)
    pictures = [sample.image for sample in images.samples]

    def extract_layers(network: Backbone, names: tuple[str, ...]) -> Features:
        return ensure(store, extractor, pictures, Request(network, names, pooling, augmentation.views))

    console = Console()
    console.print(f"{backbone.name} sees: {backbone.preprocessing()}", highlight=False, soft_wrap=True)
    title = f"{images.name} {backbone.name} {layers[0] if len(layers) == 1 else f'{len(layers)} layers'}"
    with tracking.start(title) as run:
        record = Record(run, images, backbone.name, config, Path(output_dir))
        record.begin(layers)
        features = extract_layers(backbone, layers)

        def score(found: Features, name: str) -> list[Score]:
            scores = []
            for layer_name, values in found.values.items():
                scores.append(evaluate(layer_name, values, images, postprocess, classifier))
                if len(layers) > 1:
                    record.layer(scores[-1], name, found.digest)
            return scores

        scores = score(features, backbone.name)
        beside: list[Score] = []
        if baseline and len(layers) > 1:
            beside = score(extract_layers(baseline, baseline.layer_names()[-1:]), baseline.name)
        chosen = choose(scores)
        record.end(scores, beside, chosen, features)
    console.print(score_table(scores, beside, chosen, images.metric, title))
    for line in (open_grids(scores), record.whereabouts()):
        console.print(line, highlight=False, soft_wrap=True) if line else None
    return chosen.metrics[f"test/{images.metric}"]


def choose(scores: Sequence[Score]) -> Score:
    """The layer with the best cross-validated accuracy on training images; where C was given, the last layer.

    Never by a test metric: the test images are for reporting.
    """
    if all("cv/accuracy" in score.metrics for score in scores):
        return max(scores, key=lambda score: score.metrics["cv/accuracy"])
    return scores[-1]


def extract(
    *,
    dataset: Dataset,
    augmentation: Augmentation,
    backbone: Backbone,
    layer: str | Sequence[str],
    pooling: str,
    extractor: Extractor,
    store: FeatureStore,
    dry_run: bool,
) -> float:
    """Fill the store with the features of a data set, or say what that would comprise.

    Returns:
        Images whose features were missing.
    """
    layers = select_layers(layer, backbone.layer_names(), backbone.name)
    images = _load(dataset)
    request = Request(backbone, layers, pooling, augmentation.views)
    names = [sample.image.digest for sample in images.samples]
    missing = len(store.missing(list(request.keys(extractor).values()), names))
    console = Console()
    console.print(f"{backbone.name} sees: {backbone.preprocessing()}", highlight=False, soft_wrap=True)
    console.print(extraction_table(len(names), missing, layers, len(request.views)))
    if not dry_run:
        ensure(store, extractor, [sample.image for sample in images.samples], request)
    return float(missing)


def layers(*, backbone: Backbone, layer: str | Sequence[str]) -> None:
    """List the layers that can be asked for, curated names first."""
    listed = layer_table(backbone)
    asked = set(select_layers(layer, backbone.layer_names(), backbone.name)) if layer != "all" else None
    rows = [info for info in listed if asked is None or info.name in asked]
    Console().print(layer_listing(rows, f"{backbone.name} sees: {backbone.preprocessing()}"))


def _load(dataset: Dataset) -> ImageSet:
    images = dataset.load()
    check_images([sample.image for sample in images.samples])
    return images
