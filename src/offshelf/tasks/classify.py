"""The task `classify`: layers scored by a classifier on their frozen features."""

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from offshelf.augmentation import Augmentation
from offshelf.backbone import Backbone, Pooling, what_it_sees
from offshelf.classifier import Classifier
from offshelf.dataset import (
    Dataset,
    ImageSet,
    leak_rules,
    require_labels,
    settle_exact,
    settle_near,
    value_range,
)
from offshelf.errors import ConfigError
from offshelf.evaluation.learning_curve import CurvePoint, LearningCurves, choose
from offshelf.evaluation.probe import Probe
from offshelf.evaluation.score import Score
from offshelf.evaluation.spectra import Spectra, Spectrum
from offshelf.extractor import Extractor, Features
from offshelf.layer_fusion import LayerFusion
from offshelf.metric import Bootstrap
from offshelf.model import Model, identify
from offshelf.postprocess import Transformer
from offshelf.report import found_line, spectrum_table
from offshelf.report.html import HtmlReport
from offshelf.report.html.contents import Contents
from offshelf.runs.classification_recorder import ClassificationRecorder
from offshelf.runs.recorder import run_title
from offshelf.store import FeatureKey, FeatureStore
from offshelf.tasks.features import FeatureSpec
from offshelf.tasks.label_kind import require_kind
from offshelf.tasks.on_error import OnError, check_readable
from offshelf.tasks.results import ClassificationResult
from offshelf.tasks.results.classification import score_lines
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
    layer_fusion: LayerFusion | None = None,
    spectrum: bool = False,
    keep_model_mb: float = 200,
    report: HtmlReport | None = None,
    notify: Notify = discard,
) -> ClassificationResult:
    """Score frozen features of one or several layers with a linear classifier or, for numbers, a regression.

    Features are extracted, the hyperparameter is chosen on the training images, the classifier is fitted, and the test
    images are read once, in this order. With several layers there is a run for each under one parent, and the reported
    layer is the one that cross-validation on the training images prefers. With several training sizes there is a run
    for each too, and the reported numbers are those of the largest.

    Args:
        dataset: Images with labels, and the folds to train and test on.
        augmentation: Views of an image.
        backbone: The network.
        layer: Layers: a name, a list, a pattern, `all` or `last`.
        pooling: How the map of a layer becomes a vector.
        extractor: How the network is run.
        store: Where features are kept.
        postprocess: Transform of features, fitted on those of training images.
        classifier: Classifier, and the choice of its hyperparameter.
        baseline: Backbone whose last layer is compared with several layers; None: no baseline.
        bootstrap: Intervals of the test metrics.
        tracking: Where the run is logged.
        output_dir: Folder for the results.
        config: The resolved config, which is recorded.
        on_error: `stop` at images that cannot be read, or `skip` them.
        name: Name of the run in the tracker; by default its data set, backbone and layer.
        layer_fusion: How the features of several layers become one; None: each layer is scored by itself.
        spectrum: Whether RankMe and stable rank of the layers' training features, and the similarity of the layers, are
            computed too; see `Spectra`.
        keep_model_mb: The reported layer's model is kept if it takes at most so many megabytes (10^6 bytes); 0: never.
        report: The page with the answer and the mistakes as pictures, `report.html`; None: no page.
        notify: Receives what is known before the work.

    Returns:
        All scores. As a number it is the data set's official metric on the test images, the mean over folds if there
        are several.

    Raises:
        ConfigError: `keep_model_mb` is below 0, or not finite; or the classifier is for other labels.
        BackboneError: the network, or one of the layers, is not available.
        DatasetError: the data set is not available, has no labels or too few images.
        BadImagesError: images cannot be read, and `on_error` is `stop`.
        StoreError: the store or the output folder cannot be read or written.
        TrackingError: the tracker is not available.
    """
    if not 0 <= keep_model_mb < math.inf:
        raise ConfigError(f"keep_model_mb is a number of megabytes, 0 to keep no model; got {keep_model_mb}.")
    tracking.check()
    spec = FeatureSpec(
        dataset=dataset,
        augmentation=augmentation,
        backbone=backbone,
        layer=layer,
        pooling=pooling,
        extractor=extractor,
        store=store,
        baseline=baseline,
        layer_fusion=layer_fusion,
        on_error=on_error,
    )
    names, probe = spec.names, Probe(postprocess, classifier, bootstrap, layer_fusion)
    images = require_labels(dataset.load())
    require_kind(classifier, images)
    images.require_training()
    images, left_out = check_readable(images, on_error)
    images, leaks = settle_exact(images, leak_rules(dataset))
    spec.require_layers(images.pictures)
    notify(found_line(images), what_it_sees(backbone))
    title = name or run_title(images.name, backbone.name, names)
    with tracking.start(title, Path(output_dir)) as run:
        recorder = ClassificationRecorder(run, images, backbone.name, config, Path(output_dir))
        recorder.begin(spec.listed)
        if not spec.is_stored(images):
            run.confirm()
        images, more, found = spec.extract_all(images)
        images, leaks = settle_near(images, leak_rules(dataset), [*found[0].values.values()][-1], leaks)
        recorder = replace(recorder, images=images, left_out=[*left_out, *more], leaks=leaks)
        recorder.data()
        networks = [request.backbone.name for request in spec.requests]
        spectra = [Spectra.of(each, images.folds[0].train) for each in found] if spectrum else []
        recorder = replace(recorder, spectra=spectra)
        (scores, points), *others = _score(found, networks, probe, recorder, len(names) > 1)
        baselines = [score for each, _ in others for score in each]
        beside = [point for _, each in others for point in each]
        chosen = choose(scores)
        curves = LearningCurves.of(points, beside, chosen.name)
        metrics = recorder.end(scores, baselines, chosen, found[0], curves)
        model = _model(chosen, images, spec.layers_of(chosen.name), spec.keys)
        not_kept = recorder.keep(model, keep_model_mb) if keep_model_mb else ""
        contents = Contents(title, backbone.name, images, scores, baselines, chosen, found[0], metrics, curves)
        run.finish(lambda: recorder.finish(report, contents))
        if spectra:
            notify(spectrum_table(spectra[0], baselines))
        notify(*score_lines(scores, baselines, chosen, title, images, recorder.left_out, curves))
    spec.note_use(title, run.id, config)
    return ClassificationResult(
        run=recorder.summary(title, metrics),
        images=images,
        scores=tuple(scores),
        baselines=tuple(baselines),
        chosen=chosen,
        learning_curves=curves,
        spectra=spectra[0] if spectra else None,
        model=model,
        model_note=not_kept or (recorder.how_to_predict() if keep_model_mb else ""),
    )


def _score(
    found: Sequence[Features], names: Sequence[str], probe: Probe, recorder: ClassificationRecorder, has_runs: bool
) -> list[tuple[list[Score], list[CurvePoint]]]:
    """Score all layers of some backbones; what has a run of its own is logged while the next layer is fitted.

    Returns:
        For each backbone the scores of its layers with the largest training size, and the numbers of all sizes.
    """
    results: list[tuple[list[Score], list[CurvePoint]]] = [([], []) for _ in found]
    logged: list[Future[None]] = []
    images = recorder.images
    by_backbone: Sequence[Mapping[str, Spectrum]] = [each.layers for each in recorder.spectra] or [{}] * len(found)
    with ThreadPoolExecutor(1, "recorder") as thread:
        for features, name, known, (scores, points) in zip(found, names, by_backbone, results, strict=True):
            for layer, values in features.values.items():
                *smaller, last = probe.on(features).curve(layer, values, images, features.digest)
                curve = (*smaller, replace(last, spectrum=known.get(layer)))
                scores.append(curve[-1])
                points += [CurvePoint.of(score, size) for score, size in zip(curve, images.sizes, strict=False)]
                if has_runs:
                    logged.append(thread.submit(recorder.layer, curve, name, features.digest))
                elif len(curve) > 1:
                    logged.append(thread.submit(recorder.training_sizes, recorder.run, curve, name, features.digest))
    for layer_run in logged:
        layer_run.result()
    return results


def _model(
    chosen: Score, images: ImageSet, layers: tuple[str, ...], keys: Mapping[tuple[str, int], FeatureKey]
) -> Model | None:
    """Return the model fitted on the first fold's training images; None for a classifier that cannot be stored."""
    fit = chosen.fits[0]
    scorer = fit.scorer
    if not scorer:
        return None
    features = identify(key for (layer, _), key in keys.items() if layer in layers)
    return Model(
        layers,
        features,
        images.classes,
        images.kind,
        chosen.test_transformers[0],
        scorer,
        fit.calibration,
        value_range(images.pictures),
    )
