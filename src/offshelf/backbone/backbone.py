"""The seam between networks and everything else: a Backbone is a cheap spec, its Network is the loaded thing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from offshelf.backbone.preprocessing import Preprocessing

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class LayerInfo:
    """One layer that can be asked for."""

    name: str
    """The word on the command line: a curated alias (`layer4`, `blocks.5`) or the module's dotted path."""
    module: str
    """Dotted path inside the network, as in `named_modules()`."""
    shape: tuple[int, ...]
    """Shape of its output for one image, without the batch axis."""


class Network(Protocol):
    """A loaded network that gives the outputs of any of its layers in one forward pass."""

    def features(
        self, images: "torch.Tensor", layers: Sequence[str], pooling: str, whole: bool = False
    ) -> "Mapping[str, torch.Tensor]":
        """Pooled outputs by layer name: float32 [N, D_layer] each, for normalised images float32 [N, 3, H, W].

        The pass may end after the last asked layer, unless the `whole` is asked for.
        """

    def listing(self, size: int | tuple[int, int]) -> "list[LayerInfo]":
        """Curated layers, then every module, with shapes for one image of a side, or a height and width, in pixels."""


class Backbone(Protocol):
    """Architecture, weights, preprocessing and the names of the layers: frozen, comparable, cheap."""

    @property
    def name(self) -> str:
        """Short label for runs and tables: `resnet50`."""

    def preprocessing(self) -> Preprocessing:
        """What the network was trained to see; known without building it."""

    def identity(self) -> dict[str, Any]:
        """Canonical description, weights digest included, that fixes the numbers; nothing is built for it."""

    def layer_names(self) -> tuple[str, ...]:
        """Curated layer names from input to output, one per depth; the last one is the usual feature."""

    def module_names(self) -> tuple[str, ...]:
        """Paths of all modules, from the architecture alone; `blocks.3.*` stands for all in it. Empty: not known."""

    def module_of(self, layer: str) -> str:
        """Dotted module path that a layer's name stands for; a name that is no alias is its own path."""

    def load(self) -> Network:
        """Build the network in evaluation mode and load its weights. Raises BackboneError."""
