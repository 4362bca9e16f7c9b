"""A run's way from images to scores of classes: its network, layer, views and model."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from offshelf.config import components
from offshelf.config.trust import Trust
from offshelf.dataset import Image, ImageBytes, ImageFile, parse_colour
from offshelf.dataset.raster import MAX_PIXELS
from offshelf.errors import ConfigError, ModelError
from offshelf.extractor import Extractor, Networks, Request, ensure, fill
from offshelf.model import Model, identify
from offshelf.store import FeatureStore

BLOCK = 1024
"""Images whose features are in memory at a time."""


NEEDED = {"augmentation": "views", "backbone": "module_of", "extractor": "key", "store": "read"}
"""What each component is asked for; a record may have another in its place, or none."""


def require_made(parts: dict[str, Any]) -> dict[str, Any]:
    """Components of a record, all of which are there. Raises ConfigError."""
    lacking = [group for group, part in parts.items() if not hasattr(part, NEEDED[group])]
    if lacking:
        raise ConfigError(f"The record is of no run that can predict: it has no usable {', '.join(lacking)}.")
    return parts


@dataclass(frozen=True, eq=False)
class Predictor:
    """Everything a run needs to score an image."""

    model: Model
    request: Request
    extractor: Extractor
    background: tuple[int, int, int]
    """RGB, seen through transparent pixels."""
    max_pixels: int = MAX_PIXELS
    """Larger images are refused."""
    networks: Networks = field(default_factory=Networks, repr=False)
    """What was built for one call is there for the next."""

    @staticmethod
    def of(config: Mapping[str, Any], model: Model, trust: Trust) -> "Predictor":
        """Made from a run's recorded config.

        Raises:
            ConfigError: it names code that is not trusted.
            ModelError: the network is not what it was.
            OffshelfError: the network cannot be had.
        """
        parts = require_made(components(config, ("augmentation", "backbone", "extractor"), trust))
        request = Request(parts["backbone"], (model.layer,), config.get("pooling", "auto"), parts["augmentation"].views)
        if identify(request.keys(parts["extractor"]).values()) != model.features:
            raise ModelError(
                f"{parts['backbone'].name} is not the network any more that this model was fitted on: weights, "
                "preprocessing, views, precision or, in bfloat16, the engine are others. Fit again with: offshelf rerun"
            )
        dataset = config.get("dataset") or {}
        if not isinstance(dataset, Mapping):
            raise ConfigError(f"The record's dataset is no group of keys: {str(dataset)[:80]}.")
        largest = dataset.get("max_pixels", MAX_PIXELS)
        if not isinstance(largest, int) or isinstance(largest, bool):
            raise ConfigError(f"The record's dataset.max_pixels is no whole number: {str(largest)[:80]}.")
        return Predictor(model, request, parts["extractor"], parse_colour(dataset.get("background", "white")), largest)

    def file(self, path: Path) -> ImageFile:
        """An image file, to be read as those were that the model was fitted to: no range is guessed from it alone."""
        return ImageFile(path, self.background, None, self.model.value_range, self.max_pixels)

    def bytes(self, data: bytes) -> ImageBytes:
        """An image file's bytes; see `file`."""
        return ImageBytes(data, self.background, self.model.value_range, self.max_pixels)

    def scores(self, images: Sequence[Image], store: FeatureStore) -> Iterator[np.ndarray]:
        """Scores of classes, float64 [n, K], block by block in the order of the images.

        Features go to the store: what is there is not extracted again.

        Raises:
            BadImagesError: images that cannot be read.
            ModelError: the model's parts do not fit each other.
        """
        fill(store, self.extractor, images, self.request, self.networks)  # in one go, with one progress bar
        for start in range(0, len(images), BLOCK):
            features = ensure(store, self.extractor, images[start : start + BLOCK], self.request, self.networks)
            yield self._score(features.values[self.model.layer])

    def _score(self, values_NVD: np.ndarray) -> np.ndarray:
        try:
            scores_NK = self.model.score(values_NVD)
            if scores_NK.shape != (len(values_NVD), len(self.model.classes)):
                raise ValueError(f"{scores_NK.shape} scores of {len(self.model.classes)} classes")
        except (ValueError, TypeError, AttributeError, IndexError) as error:  # its parts may be anybody's
            reason = " ".join(str(error).split())[:200]
            raise ModelError(f"The model does not fit the features of {self.model.layer}: {reason}.") from error
        return scores_NK
