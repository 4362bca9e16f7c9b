"""Features of images in memory, by the same extraction as on the command line."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from offshelf.api.images import ImageList, image_list
from offshelf.augmentation import Augmentation
from offshelf.backbone import Backbone, Pooling
from offshelf.dataset import digests
from offshelf.errors import BadImagesError
from offshelf.extractor import Extractor, Networks, Request, extract_missing, get_or_extract
from offshelf.store import FeatureStore
from offshelf.terminal import quiet

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Encoded:
    """Features, and the images that they are of."""

    values: Mapping[str, np.ndarray]
    """By layer: float32 [n, D], [n, V, D] of V > 1 views; of a single image without the first axis."""
    images: ImageList

    def frames(self) -> "dict[str, pd.DataFrame]":
        """Return a table for each layer: a row per image, indexed by its id."""
        import pandas as pd

        index = pd.Index(list(self.images.ids), name="id")
        frames = {}
        for layer, values in self.values.items():
            rows_ND = values.reshape(len(index), -1)
            frames[layer] = pd.DataFrame(rows_ND, index, feature_names(layer, rows_ND.shape[1]))
        return frames


@dataclass(frozen=True, eq=False)
class Encoding:
    """A network and settings, by which images become features."""

    backbone: Backbone
    pooling: Pooling
    augmentation: Augmentation
    extractor: Extractor
    store: FeatureStore
    networks: Networks

    def run(self, images: Any, layers: Sequence[str], also: Sequence[str] = (), progress: bool = False) -> Encoded:
        """Return features of images of any kind that `image_list` takes; those that the store lacks are extracted.

        Args:
            images: See `image_list`.
            layers: Names of those to return.
            also: Names of others that a pass extracts too, for later calls.
            progress: Whether to show a progress bar.

        Raises:
            BadImagesError: images that cannot be used, each with its row or path.
            OffshelfError: as `get_or_extract`.
        """
        listed = image_list(images)
        wanted, every = self._request(layers), self._request([*dict.fromkeys((*layers, *also))])
        with quiet(not progress):
            try:
                if also and self._lacks(listed, wanted):
                    extract_missing(self.store, self.extractor, listed.images, every, self.networks)
                found = get_or_extract(self.store, self.extractor, listed.images, wanted, self.networks)
            except BadImagesError as bad:
                raise listed.named(bad) from None
        return Encoded({layer: self._shaped(rows, listed) for layer, rows in found.values.items()}, listed)

    def _lacks(self, listed: ImageList, request: Request) -> bool:
        keys = list(request.keys(self.extractor).values())
        return len(self.store.missing(keys, digests(listed.images))) > 0

    def _request(self, layers: Sequence[str]) -> Request:
        return Request(self.backbone, tuple(layers), self.pooling, self.augmentation.views)

    def _shaped(self, values_NVD: np.ndarray, images: ImageList) -> np.ndarray:
        values = values_NVD[:, 0] if values_NVD.shape[1] == 1 else values_NVD
        return np.ascontiguousarray(values[0] if images.is_single else values)


def feature_names(layer: str, dims: int) -> list[str]:
    """Return a name for each dimension of a layer's feature."""
    return [f"{layer}_{number}" for number in range(dims)]
