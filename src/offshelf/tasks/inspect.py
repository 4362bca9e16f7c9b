"""The task `inspect`: what is wrong with the images and labels of a set, by frozen features."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from offshelf import postprocess as transforms
from offshelf.augmentation import Augmentation
from offshelf.backbone import Backbone, Pooling, what_it_sees
from offshelf.classifier import Calibrating, Classifier
from offshelf.dataset import Dataset, ImageSet, LeftOut, Vector, leak_rules, require_labels
from offshelf.errors import ConfigError
from offshelf.evaluation.held_out import HeldOut
from offshelf.evaluation.probe import Probe
from offshelf.evaluation.score import Score
from offshelf.extractor import Extractor, Features
from offshelf.inspection.inspection import Inspection, Similar
from offshelf.inspection.learnable import Learnable
from offshelf.inspection.pixels import PixelStatistics
from offshelf.layer_fusion import LayerFusion
from offshelf.metric import Bootstrap
from offshelf.postprocess import Transformer
from offshelf.report import found_line, write_text
from offshelf.report.html import HtmlReport
from offshelf.report.html.embedding import embed
from offshelf.report.html.inspection import FILE
from offshelf.report.html.inspection.contents import InspectionContents
from offshelf.report.html.inspection.page import inspection_page
from offshelf.report.inspection_files import METADATA, write_inspection
from offshelf.report.inspection_lines import inspection_table
from offshelf.report.metadata_settings import reading_settings
from offshelf.runs.recorder import RunSummary
from offshelf.store import FeatureStore
from offshelf.tasks.features import FeatureSpec
from offshelf.tasks.label_kind import require_kind
from offshelf.tasks.on_error import OnError, check_readable, skip_unreadable
from offshelf.tasks.results import InspectionResult
from offshelf.terminal import Notify, discard


def inspect(
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
    bootstrap: Bootstrap,
    output_dir: str,
    config: dict[str, Any],
    layer_fusion: LayerFusion | None = None,
    on_error: OnError = "skip",
    report: HtmlReport | None = None,
    notify: Notify = discard,
) -> InspectionResult:
    """Find labels that are probably wrong, copies, odd images, and classes that are one class.

    Labels are checked by probabilities of a classifier that was not fitted to the image: of training images out of
    fold, of test images by the classifier of all training images. Nothing of the data set is changed.

    Args:
        dataset: Images with labels.
        augmentation: Views of an image.
        backbone: The network.
        layer: One layer, or several that are fused.
        pooling: How the map of a layer becomes a vector.
        extractor: How the network is run.
        store: Where features are kept.
        postprocess: Transform of features, fitted on those of training images.
        classifier: Classifier, and the choice of its hyperparameter; it calibrates in any case.
        bootstrap: Intervals of the test metric.
        output_dir: Folder for the results.
        config: The resolved config.
        layer_fusion: How the features of several layers become one.
        on_error: `stop` at images that cannot be read, or `skip` and list them.
        report: Settings of the page; None: the defaults.
        notify: Receives what is known before the work.

    Raises:
        ConfigError: there are several layers, or the classifier is for other labels, or cannot learn probabilities.
        BackboneError: the network, or the layer, is not available.
        DatasetError: the data set is not available, or has no labels.
        BadImagesError: images cannot be read, and `on_error` is `stop`.
        StoreError: the store or the output folder cannot be read or written.
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
    if len(spec.names) > 1:
        raise ConfigError(
            f"An inspection is by one layer; these are {len(spec.names)}: name one, such as layer={spec.names[-1]}, "
            "or fuse them: layer_fusion=concat"
        )
    images = require_labels(dataset.load())
    if images.kind != "number":
        require_kind(classifier, images)
    images, left_out = check_readable(images, on_error)
    spec.require_layers(images.pictures)
    notify(found_line(images), what_it_sees(backbone))
    images, more, features = skip_unreadable(images, on_error, lambda usable: spec.extract(usable.pictures))
    looked = look(images, features, Probe(postprocess, classifier, bootstrap, layer_fusion), leak_rules(dataset).near)
    title = f"{images.name} {backbone.name} {spec.names[0]}"
    folder = Path(output_dir)
    left = [*images.not_taken, *left_out, *more]
    _write(looked, folder, report or HtmlReport(), left, f"{spec.listed} of {backbone.name}")
    spec.note_use(f"inspect {title}", "", config)
    notify(inspection_table(looked.inspection, title), *looked.notes)
    where = f"Look at {folder / FILE}\nTables are beside it."
    summary = RunSummary(title, "", folder, where, looked.metrics, tuple([*left_out, *more]))
    return InspectionResult(run=summary, inspection=looked.inspection, notes=looked.notes)


@dataclass(frozen=True, eq=False)
class Looked:
    """An inspection, and the classifier that checked the labels."""

    inspection: Inspection
    score: Score | None
    notes: tuple[str, ...]

    @property
    def metrics(self) -> dict[str, float]:
        """Numbers of the classifier; empty without one."""
        return dict(self.score.metrics) if self.score else {}


def look(images: ImageSet, features: Features, probe: Probe, near: float) -> Looked:
    """Inspect a set by its features, [N, V, D].

    Args:
        images: The set.
        features: Of its images.
        probe: By which labels are checked.
        near: Cosine from which on images are near duplicates.

    Raises:
        As `inspect`.
    """
    ((name, values_NVD),) = features.values.items()
    has_pictures = not isinstance(images.samples[0].image, Vector)
    pixels = PixelStatistics.of(images.pictures) if has_pictures else None
    similar = Similar.of(images, values_NVD, pixels, near)
    images = replace(images, leaks=similar.finder)
    learnable = Learnable.of(images)
    score, held_out, notes = None, None, [learnable] if isinstance(learnable, str) else []
    if isinstance(learnable, Learnable):
        score = _calibrating(probe).on(features).score(name, values_NVD[learnable.rows], learnable.images)
        held_out = HeldOut.of(score, learnable.images)
        notes = [learnable.note, _unchecked(held_out, learnable)]
        held_out = _in_whole(held_out, learnable, images)
    if score:
        seen_ND = score.seen(values_NVD, np.isin(np.arange(len(values_NVD)), images.folds[0].test))
    else:
        fitted = transforms.fit(probe.on(features).postprocess, values_NVD)
        seen_ND = transforms.transform(fitted, values_NVD).mean(axis=1)
    found = Inspection.of(images, np.asarray(seen_ND, np.float32), similar, held_out, pixels)
    return Looked(found, score, tuple(filter(None, notes)))


def _calibrating(probe: Probe) -> Probe:
    if not isinstance(probe.classifier, Calibrating):
        raise ConfigError(
            f"Labels are checked by probabilities, which {type(probe.classifier).__name__} does not learn: choose "
            "another classifier, such as classifier=linear_svm."
        )
    return replace(probe, classifier=probe.classifier.calibrating())


def _unchecked(held_out: HeldOut, learnable: Learnable) -> str:
    """Say how many images are of no fold; nothing if there are none."""
    count = len(learnable.rows) - len(held_out.rows)
    return f"Not checked, as no fold trains or tests on them: labels of {count:,} image(s)." if count else ""


def _in_whole(held_out: HeldOut, learnable: Learnable, images: ImageSet) -> HeldOut:
    """Return probabilities by the rows and classes of the whole set; they are 0 for classes that were left out."""
    if len(learnable.numbers) == len(images.classes):
        return held_out
    probabilities = np.zeros((len(held_out.rows), len(images.classes)))
    probabilities[:, learnable.numbers] = held_out.probabilities
    return HeldOut(learnable.rows[held_out.rows], probabilities)


def _write(looked: Looked, folder: Path, report: HtmlReport, left_out: Sequence[LeftOut], about: str) -> None:
    inspection = looked.inspection
    embedding = embed(inspection.features_ND, report.map)
    write_inspection(folder, inspection, embedding, looked.metrics, left_out)
    contents = InspectionContents(
        f"{inspection.images.name}: {about}",
        f"{about}, {inspection.features_ND.shape[1]:,} dimensions",
        inspection,
        embedding,
        looked.metrics,
        inspection.images.metric,
        left_out,
        looked.notes,
        _commands(folder, inspection.images),
    )
    write_text(folder / FILE, inspection_page(contents, report.max_mb * 1e6, report.points))


def _commands(folder: Path, images: ImageSet) -> dict[str, str]:
    """Return what can be done with the table of suggestions, where there is one."""
    table = folder / METADATA
    if not table.is_file():
        return {}
    learner = ["classifier=ridge"] if images.kind == "number" else []
    edited = shlex.join(["offshelf", "classify", *reading_settings(table, images), *learner])
    return {"Once edited": edited, "Suggested": f"{edited} dataset.columns.label=suggested_label"}
