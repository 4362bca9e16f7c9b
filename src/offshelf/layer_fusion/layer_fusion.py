"""The interface of layer fusions, and the name of what they make."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from offshelf.backbone import Backbone
from offshelf.postprocess import Transformer

SHOWN = 3
"""Number of layers that a name lists in full."""


class LayerFusion(Protocol):
    """How the features of several layers become one."""

    def layers(self, backbone: Backbone, asked: str | Sequence[str]) -> tuple[str, ...]:
        """Return the layers whose features are concatenated, in this order.

        Args:
            backbone: The network.
            asked: The layers that are asked for: a name, a list, a pattern, `all` or `last`.

        Raises:
            BackboneError: There are none such, or this fusion cannot use them.
        """

    def transformer(self, postprocess: Transformer, widths: Mapping[str, int]) -> Transformer:
        """Return the transform of the concatenated features, not fitted.

        Args:
            postprocess: Transform of the features of a single layer.
            widths: Dimensions of each layer's feature, in the order of the concatenation.
        """


def fused_name(layers: Sequence[str]) -> str:
    """Return the name of a feature: of one layer that of the layer, of several `block1 + block2`.

    Of more than SHOWN layers only the first and the last are in it, with their number.
    """
    if len(layers) <= SHOWN:
        return " + ".join(layers)
    return f"{layers[0]} + … + {layers[-1]} ({len(layers)} layers)"
