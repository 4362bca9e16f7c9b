"""Layers are looked for in the network before a run is on record: a typo starts none."""

from collections.abc import Sequence

from offshelf.backbone import layer_table
from offshelf.backbone.layer import unknown_layer
from offshelf.dataset import Image, digests
from offshelf.extractor import Extractor, Request
from offshelf.store import FeatureStore


def require_layers(
    requests: Sequence[Request], extractor: Extractor, store: FeatureStore, images: Sequence[Image]
) -> None:
    """Refuse layers that a network does not have.

    A network is built, without its weights, only where a layer that is none of its curated ones has to be extracted.

    Raises:
        BackboneError: there is no such layer.
    """
    for request in requests:
        curated = request.backbone.layer_names()
        others = [layer for layer in request.layers if layer not in curated]
        keys = [key for (layer, _), key in request.keys(extractor).items() if layer in others]
        if keys and len(store.missing(keys, digests(images))):
            listed = layer_table(request.backbone)
            modules = [info.module for info in listed]
            for layer in others:
                if layer not in modules and all(info.name != layer for info in listed):
                    raise unknown_layer(layer, curated, request.backbone.name, modules)
