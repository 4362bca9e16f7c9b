"""The request of an extraction."""

from dataclasses import dataclass

from offshelf.augmentation import View
from offshelf.backbone import Backbone, place_of
from offshelf.extractor.extractor import Extractor
from offshelf.store import FeatureKey


@dataclass(frozen=True)
class Request:
    """The features to compute: layers of a backbone, the pooling of their maps, and the views of the images."""

    backbone: Backbone
    layers: tuple[str, ...]
    pooling: str
    """That of layers whose name has none, see `split_pooling`."""
    views: tuple[View, ...]

    def keys(self, extractor: Extractor) -> dict[tuple[str, int], FeatureKey]:
        """Return the feature keys by (layer, view number)."""
        first = extractor.key(self.backbone, self.layers[0], self.pooling, self.views[0])
        places = {layer: place_of(self.backbone, layer, self.pooling) for layer in self.layers}
        return {
            (layer, number): FeatureKey(first.network, *places[layer], view, first.backbone)
            for layer in self.layers
            for number, view in enumerate(self.views)
        }
