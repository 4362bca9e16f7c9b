"""A run's predictor from images to scores of classes: its network, layer, views and model."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from offshelf.config import components
from offshelf.config.trust import Trust
from offshelf.dataset import Image, ImageBytes, ImageFile, parse_colour
from offshelf.dataset.location import Location
from offshelf.dataset.raster import MAX_PIXELS
from offshelf.errors import ConfigError, ModelError
from offshelf.extractor import Extractor, Networks, Request, extract_missing, get_or_extract
from offshelf.model import Model, identify
from offshelf.store import FeatureStore

BLOCK = 1024
"""Number of images whose features are in memory at a time."""


NEEDED = {"augmentation": "views", "backbone": "module_of", "extractor": "key", "store": "read"}
"""Attributes that the components must have; a record may name other components, or none."""


def require_made(parts: dict[str, Any]) -> dict[str, Any]:
    """Return the components of a record, all of which must be present. Raises ConfigError."""
    lacking = [group for group, part in parts.items() if not hasattr(part, NEEDED[group])]
    if lacking:
        raise ConfigError(f"The record is not of a run that can predict: it has no usable {', '.join(lacking)}.")
    return parts


@dataclass(frozen=True, eq=False)
class Predictor:
    """The components of a run that score an image."""

    model: Model
    request: Request
    extractor: Extractor
    background: tuple[int, int, int]
    """RGB behind transparent pixels."""
    max_pixels: int = MAX_PIXELS
    """Largest accepted number of pixels."""
    networks: Networks = field(default_factory=Networks, repr=False)
    """Networks that are kept from one call to the next."""

    @staticmethod
    def of(config: Mapping[str, Any], model: Model, trust: Trust) -> "Predictor":
        """Build from a run's recorded config.

        Raises:
            ConfigError: The config names code that is not trusted.
            ModelError: The network has changed.
            OffshelfError: The network is unavailable.
        """
        parts = require_made(components(config, ("augmentation", "backbone", "extractor"), trust))
        request = Request(parts["backbone"], model.layers, config.get("pooling", "auto"), parts["augmentation"].views)
        if identify(request.keys(parts["extractor"]).values()) != model.features:
            raise ModelError(
                f"{parts['backbone'].name} is no longer the network that this model was fitted on: weights, "
                "preprocessing, views, precision or, in bfloat16, the engine differ. Fit again with: offshelf rerun"
            )
        dataset = config.get("dataset") or {}
        if not isinstance(dataset, Mapping):
            raise ConfigError(f"The record's dataset is not a group of keys: {str(dataset)[:80]}.")
        largest = dataset.get("max_pixels", MAX_PIXELS)
        if not isinstance(largest, int) or isinstance(largest, bool):
            raise ConfigError(f"The record's dataset.max_pixels is not a whole number: {str(largest)[:80]}.")
        return Predictor(model, request, parts["extractor"], parse_colour(dataset.get("background", "white")), largest)

    def file(self, path: Location) -> ImageFile:
        """Return an image file, read as those that the model was fitted to: its range is not guessed from it alone."""
        return ImageFile(path, self.background, None, self.model.value_range, self.max_pixels)

    def bytes(self, data: bytes) -> ImageBytes:
        """Return an image from a file's bytes; see `file`."""
        return ImageBytes(data, self.background, self.model.value_range, self.max_pixels)

    def scores(self, images: Sequence[Image], store: FeatureStore) -> Iterator[np.ndarray]:
        """Yield scores of classes, float64 [n, K], block by block in the order of the images.

        Features go to the store, and stored ones are not extracted again.

        Raises:
            BadImagesError: Images cannot be read.
            ModelError: The model's parts do not fit each other.
        """
        extract_missing(store, self.extractor, images, self.request, self.networks)  # at once, with one progress bar
        for start in range(0, len(images), BLOCK):
            features = get_or_extract(store, self.extractor, images[start : start + BLOCK], self.request, self.networks)
            yield self._score(features.joined(self.model.layer).values[self.model.layer])

    def _score(self, values_NVD: np.ndarray) -> np.ndarray:
        try:
            scores_NK = self.model.score(values_NVD)
            if scores_NK.shape != (len(values_NVD), len(self.model.classes)):
                raise ValueError(f"{scores_NK.shape} scores of {len(self.model.classes)} classes")
        except (ValueError, TypeError, AttributeError, IndexError) as error:  # parts may come from third parties
            reason = " ".join(str(error).split())[:200]
            raise ModelError(f"The model does not fit the features of {self.model.layer}: {reason}.") from error
        return scores_NK
