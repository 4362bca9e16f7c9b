"""The features that a run needs: their extraction, those that are missing, and a second look at those in the store."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from offshelf.augmentation import Augmentation
from offshelf.backbone import Backbone, layer_table, resolve_layers
from offshelf.backbone.layer import OF, is_there, split_pooling, unknown_layer
from offshelf.dataset import (
    Dataset,
    Image,
    ImageSet,
    LeftOut,
    RetrievalDataset,
    RetrievalItem,
    RetrievalSet,
    check_images,
    digests,
    load_unsplit,
    require_labels,
)
from offshelf.errors import BadImagesError, ImageError
from offshelf.extractor import (
    Comparison,
    Cost,
    Extractor,
    Features,
    Forecast,
    Networks,
    Request,
    estimate,
    extract_missing,
    get_or_extract,
    recheck,
)
from offshelf.layer_fusion import LayerFusion, fused_name
from offshelf.store import FeatureKey, FeatureStore, Use
from offshelf.tasks.given import given_sets, given_store, require_one_view
from offshelf.tasks.on_error import check_readable, skip_unreadable


@dataclass(frozen=True, kw_only=True)
class FeatureSpec:
    """Components of a run that say which features it needs, how they are computed and where they are stored."""

    dataset: Dataset | RetrievalDataset
    augmentation: Augmentation
    backbone: Backbone
    layer: str | Sequence[str]
    """A name, a list of names, a pattern, `all` or `last`."""
    pooling: str
    extractor: Extractor
    store: FeatureStore
    baseline: Backbone | None = None
    """Backbone whose last layer is compared with several layers."""
    query_augmentation: Augmentation | None = None
    """Views of queries, if they are not those of the references."""
    postprocess_dataset: Dataset | RetrievalDataset | None = None
    """Images that postprocessing is fitted on, if they are not those of `dataset`."""
    layer_fusion: LayerFusion | None = None
    """How the features of the layers become one; None: each layer is a feature of its own."""
    on_error: str = "stop"
    """`stop` or `skip`: what happens to images that cannot be read."""

    def __post_init__(self) -> None:
        """Take given features instead of a store. Raises ConfigError for a network without images, or the reverse."""
        given = given_sets(self.backbone, self.dataset, self.postprocess_dataset)
        if given:
            require_one_view(self.augmentation, self.query_augmentation)
            object.__setattr__(self, "store", given_store(given))

    @cached_property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers, curated ones from input to output. Raises BackboneError."""
        if self.layer_fusion:
            return self.layer_fusion.layers(self.backbone, self.layer)
        return resolve_layers(self.backbone, self.layer)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the run's features: those of the layers, or one of the fused layers. Raises BackboneError."""
        return (fused_name(self.layers),) if self.layer_fusion else self.layers

    @property
    def listed(self) -> str:
        """All layers in words, as a run records them."""
        return (" + " if self.layer_fusion else ", ").join(self.layers)

    def layers_of(self, name: str) -> tuple[str, ...]:
        """Return the layers whose features one of `names` stands for."""
        return self.layers if self.layer_fusion else (name,)

    @cached_property
    def request(self) -> Request:
        """Request for the images of `dataset`; of a retrieval set, for its references."""
        return Request(self.backbone, self.layers, self.pooling, self.augmentation.views)

    @cached_property
    def query_request(self) -> Request:
        """Request for the queries of a retrieval set."""
        return replace(self.request, views=(self.query_augmentation or self.augmentation).query_views)

    @cached_property
    def requests(self) -> list[Request]:
        """One request per pass over the images of `dataset`; the run's own comes first."""
        requests = [self.request]
        if self.baseline and len(self.names) > 1:
            last = self.baseline.layer_names()[-1:]
            requests.append(replace(self.request, backbone=self.baseline, layers=last))
        if self.query_augmentation:
            requests.append(self.query_request)
        return requests

    @property
    def keys(self) -> Mapping[tuple[str, int], FeatureKey]:
        """Keys of the run's own features by layer and number of the view."""
        return self.request.keys(self.extractor)

    def require_layers(self, images: Sequence[Image]) -> None:
        """Refuse layers that a network does not have, before a run is on record.

        A network is built, without its weights, only if a layer that is not curated has to be extracted.

        Raises:
            BackboneError: a layer does not exist.
        """
        for request in (*self.requests, self.query_request):
            curated = request.backbone.layer_names()
            others = [layer for layer in request.layers if split_pooling(layer, "")[0] not in curated]
            keys = [key for (layer, _), key in request.keys(self.extractor).items() if layer in others]
            if keys and len(self.store.missing(keys, digests(images))):
                listed = layer_table(request.backbone)
                modules = [info.module for info in listed]
                known = {*modules, *(info.name for info in listed)}
                for layer in (split_pooling(other, "")[0] for other in others):
                    if layer not in known and not (OF in layer and is_there(layer, [*known])):
                        raise unknown_layer(layer, curated, request.backbone.name, modules)

    def extract(self, images: Sequence[Image], request: Request | None = None) -> Features:
        """Return features of images in their order, fused if the run fuses layers; missing ones are extracted.

        Args:
            images: Any images.
            request: What is asked of them; by default the run's own request.

        Raises:
            BadImagesError: images cannot be read; the features of all others are in the store.
            BackboneError: the network, or one of the layers, is not available.
            StoreError: the store cannot be read or written.
        """
        found = get_or_extract(self.store, self.extractor, images, request or self.request)
        return found.joined(fused_name(tuple(found.values))) if self.layer_fusion else found

    def extract_all(self, images: ImageSet) -> tuple[ImageSet, list[LeftOut], list[Features]]:
        """Return the features of a data set, one `Features` per request.

        Returns:
            The images that could be used, those left out, and the features.

        Raises:
            As `extract`; BadImagesError only with `on_error="stop"`.
        """
        return skip_unreadable(
            images, self.on_error, lambda usable: [self.extract(usable.pictures, one) for one in self.requests]
        )

    def extract_retrieval(self, images: RetrievalSet) -> tuple[RetrievalSet, list[LeftOut], tuple[Features, Features]]:
        """Return the features of references and of queries; what both need is extracted once.

        Returns:
            The images that could be used, those left out, and the features of references and of queries.

        Raises:
            As `extract_all`.
        """
        return skip_unreadable(images, self.on_error, self._references_and_queries)

    def _references_and_queries(self, images: RetrievalSet) -> tuple[Features, Features]:
        row = {id(image): row for row, image in enumerate(images.pictures)}

        def features_of(items: Sequence[RetrievalItem], request: Request) -> Features:
            wanted = [item.image for item in items]
            try:
                return self.extract(wanted, request)
            except BadImagesError as bad:
                raise BadImagesError({row[id(wanted[at])]: why for at, why in bad.faults.items()}) from bad

        references = features_of(images.references, self.request)
        if images.queries is images.references and self.query_request == self.request:
            return references, replace(references, cost=Cost())
        return references, features_of(images.queries, self.query_request)

    def load_features(self) -> tuple[ImageSet, Features]:
        """Load a labelled data set; return its usable images and their features, extracting those that are missing.

        Raises:
            DatasetError: the data set is not available, or has no labels.
            As `extract_all`.
        """

        def work(usable: ImageSet) -> Features:
            check_images(usable.pictures)
            return self.extract(usable.pictures)

        images, _, features = skip_unreadable(require_labels(self.dataset.load()), self.on_error, work)
        return images, features

    def fill(self, images: Sequence[Image], networks: Networks | None = None) -> Cost:
        """Extract what the store lacks of the run's own request, without reading it back. Raises as `extract`."""
        return extract_missing(self.store, self.extractor, images, self.request, networks)

    def estimate(self, images: Sequence[Image], probe: bool) -> Forecast:
        """Estimate the extraction of the run's own request: size and time too if `probe`. Raises as `extract`."""
        return estimate(self.store, self.extractor, images, self.request, probe=probe)

    def note_use(self, name: str, run_id: str, config: Mapping[str, Any]) -> None:
        """Record in the store that a run used features of these networks. Best effort: failures are ignored."""
        networks = [key.network for request in self.requests for key in request.keys(self.extractor).values()]
        self.store.note_use(networks, Use(name, run_id, time.time(), config))

    def passes(self) -> list[tuple[ImageSet | RetrievalSet, Request]]:
        """Load the images and return them with what is asked of them. Raises DatasetError and BadImagesError."""
        images = self._load(self.dataset)
        passes = [(images, request) for request in self.requests]
        if self.postprocess_dataset:
            passes.append((self._load(self.postprocess_dataset), self.request))
        return passes

    def _load(self, dataset: Dataset | RetrievalDataset) -> ImageSet | RetrievalSet:
        return check_readable(load_unsplit(dataset), self.on_error)[0]

    def extract_missing(self) -> int:
        """Extract what the run would find missing. Returns the number of images.

        Raises:
            DatasetError: the data set is not available.
            As `extract`.
        """
        lacking = [(images.pictures, self._lacking(request, images.pictures)) for images, request in self.passes()]
        return sum(
            extract_missing(self.store, self.extractor, pictures, request).extracted
            for pictures, request in lacking
            if request.layers
        )

    def _lacking(self, request: Request, images: Sequence[Image]) -> Request:
        """Return a request for the layers of which a feature is missing."""
        names, keys = digests(images), request.keys(self.extractor)

        def lacks(layer: str) -> bool:
            return len(self.store.missing([key for (of, _), key in keys.items() if of == layer], names)) > 0

        return replace(request, layers=tuple(filter(lacks, request.layers)))

    def compare(self, count: int) -> list[Comparison]:
        """Extract `count` images of each pass again, and compare them with what the store holds.

        Raises:
            As `extract_missing`.
        """
        return [
            recheck(self.store, self.extractor, images.pictures, request, count) for images, request in self.passes()
        ]

    def is_stored(self, images: ImageSet | RetrievalSet) -> bool:
        """Return whether the store has all features of the images that a run reads first."""
        try:
            names = digests(images.pictures)
        except ImageError:  # the extraction says which ones
            return False
        keys = [list(request.keys(self.extractor).values()) for request in self.requests]
        return not any(len(self.store.missing(each, names)) for each in keys)

    def missing(self, planned: set[tuple[str, Any]]) -> list[str]:
        """Describe what the run would have to extract, in one line per pass over the images.

        Args:
            planned: Features, as data digest and key, that will be in the store by then; those of this run are added.

        Raises:
            As `extract_missing`.
        """
        lines = []
        for images, request in self.passes():
            keys = {place: (images.digest, key) for place, key in request.keys(self.extractor).items()}
            new = tuple(name for name in request.layers if any(keys[at] not in planned for at in keys if at[0] == name))
            planned.update(keys.values())
            if not new:
                continue
            forecast = estimate(self.store, self.extractor, images.pictures, replace(request, layers=new), probe=False)
            if forecast.missing:
                lines.append(
                    f"{', '.join(new)} of {request.backbone.name}: {forecast.missing:,} of {forecast.images:,} images, "
                    f"{forecast.passes:,} passes"
                )
        return lines
