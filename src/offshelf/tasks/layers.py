"""The task `layers`: the layers that can be asked for."""

from collections.abc import Sequence

from offshelf.backbone import Backbone, layer_table, select_layers, what_it_sees
from offshelf.tasks.results import LayerListing


def layers(*, backbone: Backbone, layer: str | Sequence[str]) -> LayerListing:
    """List the layers that can be asked for, curated names first.

    Raises:
        BackboneError: the network cannot be built, or `layer` selects none of its layers.
    """
    listed = layer_table(backbone)
    asked = (
        set(select_layers(layer, backbone.layer_names(), backbone.name, backbone.module_names))
        if layer != "all"
        else None
    )
    chosen = [info for info in listed if asked is None or info.name in asked]
    return LayerListing(backbone=backbone.name, preprocessing=what_it_sees(backbone), layers=tuple(chosen))
