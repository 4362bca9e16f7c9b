"""The task `retrieve`: every query searches all references by frozen features."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from offshelf.augmentation import Augmentation
from offshelf.backbone import Backbone, Pooling, select_layers, what_it_sees
from offshelf.dataset import (
    Dataset,
    ImageSet,
    Picture,
    RetrievalDataset,
    RetrievalSet,
    load_unsplit,
    require_retrieval,
)
from offshelf.errors import BadImagesError, ConfigError
from offshelf.evaluation.retrieval import RetrievalProbe
from offshelf.extractor import Cost, Extractor, Features, Request, ensure
from offshelf.identity import digest
from offshelf.metric import Bootstrap
from offshelf.postprocess import Transformer, learns
from offshelf.report import found_line
from offshelf.retrieval import Retrieval
from offshelf.runs.recorder import run_title
from offshelf.runs.retrieval import RetrievalRecord
from offshelf.store import FeatureStore, Use
from offshelf.tasks.known_layers import require_layers
from offshelf.tasks.on_error import OnError, readable, screen
from offshelf.tasks.results import RetrievalResult
from offshelf.terminal import Notify, discard
from offshelf.tracking import Tracker

SCHOOL = "postprocess_learnt_from"
"""The tag that names what postprocessing was fitted to, where it learns anything."""


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
    on_error: OnError = "stop",
    name: str | None = None,
    notify: Notify = discard,
) -> RetrievalResult:
    """Rank all references for each query by frozen features of one or several layers.

    Any set of single labels is taken too: a class is an object, and each image searches all others. With several layers
    there is a run for each, under one parent; nothing that could choose among them is not a query, so that the last is
    the reported one. Postprocessing is fitted on the images of `postprocess_dataset`; without, on the references.

    Returns:
        All scores; as a number, the data set's official metric.

    Raises:
        ConfigError: `query_augmentation=` is the name of an augmentation, `postprocess_dataset=` of a data set.
    """
    _require_component("augmentation", "query_augmentation", query_augmentation)
    _require_component("dataset", "postprocess_dataset", postprocess_dataset)
    tracking.check()
    layers = select_layers(layer, backbone.layer_names(), backbone.name, backbone.module_names)
    parts = Parts(
        Request(backbone, layers, pooling, augmentation.views),
        Request(backbone, layers, pooling, (query_augmentation or augmentation).query_views),
    )
    probe = RetrievalProbe(postprocess, retrieval, bootstrap)
    images, left_out = readable(require_retrieval(load_unsplit(dataset)), on_error)
    teachers = readable(load_unsplit(postprocess_dataset), on_error)[0] if postprocess_dataset else None
    require_layers([parts.references, parts.queries], extractor, store, images.pictures)
    notify(found_line(images), what_it_sees(backbone))
    title = name or run_title(images.name, backbone.name, layers)
    with tracking.start(title, Path(output_dir)) as run:
        record = RetrievalRecord(run, images, backbone.name, config, Path(output_dir))
        record.begin(layers)
        images, more, found = screen(images, on_error, lambda usable: parts.gather(store, extractor, usable))
        left_out += more
        record = replace(record, images=images, left_out=left_out)
        record.data()
        store.note_use(parts.networks(extractor), Use(title, run.id, time.time(), config))
        if learns(postprocess):
            tags = _school(teachers)
            run.log(tags=tags)
            notify(f"Postprocessing learns from {tags[SCHOOL]}.")
        seen = [*found]
        if teachers:
            seen.append(screen(teachers, on_error, lambda usable: parts.lessons(store, extractor, usable))[2])
        identity = digest([features.digest for features in seen])
        scores = []
        for layer_name in layers:
            references, queries, *lessons = (features.values[layer_name] for features in seen)
            scores.append(probe.score(layer_name, references, queries, images, *lessons))
            if len(layers) > 1:
                record.layer(scores[-1], identity)
        metrics = record.end(scores, scores[-1], identity, [features.cost for features in seen])
    return RetrievalResult(
        title=title,
        run_id=run.id,
        folder=record.folder,
        whereabouts=record.whereabouts(),
        metrics=metrics,
        left_out=tuple(left_out),
        images=images,
        scores=tuple(scores),
    )


def _require_component(group: str, key: str, given: object) -> None:
    if isinstance(given, str):
        raise ConfigError(f"{key} is one of the group {group}, not a word: {group}@{key}={given}")


def _school(teachers: ImageSet | RetrievalSet | None) -> dict[str, str]:
    """What postprocessing has learnt from, as tags: from the images that are searched it may know too much."""
    if teachers is None:
        return {SCHOOL: "the references that are searched"}
    return {SCHOOL: teachers.name, "postprocess_data_digest": teachers.digest}


@dataclass(frozen=True)
class Parts:
    """What is computed of the references, and of the queries."""

    references: Request
    queries: Request

    def gather(self, store: FeatureStore, extractor: Extractor, images: RetrievalSet) -> tuple[Features, Features]:
        """Features of both, those that the store lacks extracted; what both need is extracted once.

        Raises:
            BadImagesError: by the place in `images.pictures`.
        """
        place = {id(image): row for row, image in enumerate(images.pictures)}

        def of(pictures: Sequence[Picture], request: Request) -> Features:
            wanted = [picture.image for picture in pictures]
            try:
                return ensure(store, extractor, wanted, request)
            except BadImagesError as bad:
                raise BadImagesError({place[id(wanted[row])]: why for row, why in bad.faults.items()}) from bad

        references = of(images.references, self.references)
        if images.queries is images.references and self.queries == self.references:
            return references, replace(references, cost=Cost())
        return references, of(images.queries, self.queries)

    def lessons(self, store: FeatureStore, extractor: Extractor, images: ImageSet | RetrievalSet) -> Features:
        """Features of other images, seen as references are."""
        return ensure(store, extractor, images.pictures, self.references)

    def networks(self, extractor: Extractor) -> list[str]:
        """Digests of the networks used."""
        return [key.network for request in (self.references, self.queries) for key in request.keys(extractor).values()]
