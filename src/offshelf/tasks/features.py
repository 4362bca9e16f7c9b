"""The features that a run needs: which are missing, their extraction, and a second look at those that are there."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from offshelf.augmentation import Augmentation
from offshelf.backbone import Backbone, select_layers
from offshelf.dataset import Dataset, Image, ImageSet, RetrievalDataset, RetrievalSet, digests, load_unsplit
from offshelf.extractor import Comparison, Extractor, Request, estimate, extract_missing, recheck
from offshelf.store import FeatureStore
from offshelf.tasks.on_error import readable


@dataclass(frozen=True, kw_only=True)
class Needs:
    """Components of a run that say which features it needs; other tasks than its own fill in None."""

    dataset: Dataset | RetrievalDataset
    postprocess_dataset: Dataset | RetrievalDataset | None
    augmentation: Augmentation
    query_augmentation: Augmentation | None
    backbone: Backbone
    baseline: Backbone | None
    layer: str | Sequence[str]
    pooling: str
    extractor: Extractor
    store: FeatureStore
    on_error: str | None

    @cached_property
    def requests(self) -> list[Request]:
        """One for each pass over the images of `dataset`."""
        layers = select_layers(self.layer, self.backbone.layer_names(), self.backbone.name, self.backbone.module_names)
        first = Request(self.backbone, tuple(layers), self.pooling, self.augmentation.views)
        return with_others(first, self.baseline, self.query_augmentation)

    def passes(self) -> list[tuple[ImageSet | RetrievalSet, Request]]:
        """Images and what is asked of them. Raises DatasetError and BadImagesError."""
        images = self._images(self.dataset)
        passes = [(images, request) for request in self.requests]
        if self.postprocess_dataset:
            passes.append((self._images(self.postprocess_dataset), self.requests[0]))
        return passes

    def _images(self, dataset: Dataset | RetrievalDataset) -> ImageSet | RetrievalSet:
        return readable(load_unsplit(dataset), self.on_error or "stop")[0]

    def refill(self) -> int:
        """Extract what the run would find missing. Returns the number of images."""
        lacking = [(images.pictures, self._lacking(request, images.pictures)) for images, request in self.passes()]
        return sum(
            extract_missing(self.store, self.extractor, pictures, request).extracted
            for pictures, request in lacking
            if request.layers
        )

    def _lacking(self, request: Request, pictures: Sequence[Image]) -> Request:
        """Of a request the layers of which a feature is missing."""
        names, keys = digests(pictures), request.keys(self.extractor)

        def lacks(layer: str) -> bool:
            return len(self.store.missing([key for (of, _), key in keys.items() if of == layer], names)) > 0

        return replace(request, layers=tuple(filter(lacks, request.layers)))

    def compare(self, count: int) -> list[Comparison]:
        """Extract `count` images of each pass again, and compare them with what the store holds."""
        return [
            recheck(self.store, self.extractor, images.pictures, request, count) for images, request in self.passes()
        ]

    def outstanding(self, planned: set[tuple[str, Any]]) -> list[str]:
        """What the run would have to extract, a line for each pass over the images.

        Features in `planned`, data digest and key, will be there by then; those of this run join them.
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


def with_others(
    first: Request, baseline: Backbone | None, query_augmentation: Augmentation | None = None
) -> list[Request]:
    """A run's first request, beside several layers the baseline's last one, and the views of its queries."""
    requests = [first]
    if baseline and len(first.layers) > 1:
        requests.append(Request(baseline, baseline.layer_names()[-1:], first.pooling, first.views))
    if query_augmentation:
        requests.append(replace(first, views=query_augmentation.query_views))
    return requests
