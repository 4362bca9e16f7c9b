"""The task `layers`: the layers that can be asked for."""

from collections.abc import Sequence

from offshelf.backbone import Backbone, layer_table, select_layers, what_it_sees
from offshelf.report import (
    layer_listing,
)
from offshelf.terminal import terminal


def layers(*, backbone: Backbone, layer: str | Sequence[str]) -> None:
    """List the layers that can be asked for, curated names first."""
    listed = layer_table(backbone)
    asked = (
        set(select_layers(layer, backbone.layer_names(), backbone.name, backbone.module_names))
        if layer != "all"
        else None
    )
    rows = [info for info in listed if asked is None or info.name in asked]
    terminal().print(layer_listing(rows, what_it_sees(backbone)))
