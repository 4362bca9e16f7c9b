"""The interface of networks: a Backbone is a cheap spec, a Network is what it loads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from offshelf.backbone.preprocessing import Preprocessing

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class LayerInfo:
    """A layer of a network."""

    name: str
    """Name on the command line: a curated alias (`layer4`, `blocks.5`) or the module's dotted path."""
    module: str
    """Dotted path inside the network, as in `named_modules()`."""
    shape: tuple[int, ...]
    """Shape of its output for one image, without the batch axis."""


class Network(Protocol):
    """A loaded network that returns the outputs of any of its layers from one forward pass."""

    def features(
        self, images: "torch.Tensor", layers: Sequence[str], pooling: str, whole: bool = False
    ) -> "Mapping[str, torch.Tensor]":
        """Return pooled outputs by layer name, float32 [N, D_layer] each, of normalised images, float32 [N, 3, H, W].

        The pass may end after the last requested layer, unless `whole` is set.
        """

    def listing(self, size: int | tuple[int, int]) -> "list[LayerInfo]":
        """Return curated layers, then every module, with shapes for one image of a side or (height, width)."""


class Backbone(Protocol):
    """The spec of a network: architecture, weights, preprocessing and layer names. It is frozen and cheap."""

    @property
    def name(self) -> str:
        """Short label for runs and tables, such as `resnet50`."""

    def preprocessing(self) -> Preprocessing:
        """Return the preprocessing that the network was trained with, without building the network."""

    def identity(self) -> dict[str, Any]:
        """Return a canonical description that determines the numbers, with the digest of the weights; build nothing."""

    def layer_names(self) -> tuple[str, ...]:
        """Return curated layer names from input to output, one per depth; the last one is the usual feature."""

    def module_names(self) -> tuple[str, ...]:
        """Return the paths of all modules, without weights. `blocks.3.*` stands for all inside; empty: unknown."""

    def module_of(self, layer: str) -> str:
        """Return the dotted module path of a layer's name; a name that is not an alias is its own path."""

    def load(self) -> Network:
        """Build the network in evaluation mode and load its weights. Raises BackboneError."""
