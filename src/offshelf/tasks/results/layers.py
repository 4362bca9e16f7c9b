"""Result of the task `layers`."""

from dataclasses import dataclass, field
from typing import Any

from typing_extensions import override

from offshelf.backbone.backbone import LayerInfo
from offshelf.report import layer_listing
from offshelf.tasks.results.result import Result
from offshelf.terminal import Line


@dataclass(frozen=True, kw_only=True, eq=False)
class LayerListing(Result):
    """Layers that can be asked for."""

    backbone: str
    """Name of the backbone."""
    preprocessing: str
    """A sentence: how the network sees an image."""
    layers: tuple[LayerInfo, ...] = field(repr=False)
    """Curated names first, each group from input to output."""

    @override
    def columns(self) -> dict[str, list[Any]]:
        """A row per layer: layer, module and the shape of its output for one image."""
        return {
            "layer": [layer.name for layer in self.layers],
            "module": [layer.module for layer in self.layers],
            "shape": [tuple(layer.shape) for layer in self.layers],
        }

    @override
    def closing(self) -> list[Line]:
        return [layer_listing(self.layers, self.preprocessing)]
