"""A small random network, for tests and for trying things out."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from offshelf.backbone.preprocessing import Preprocessing

if TYPE_CHECKING:
    from offshelf.backbone.network import TappedNetwork

LAYERS = {"block1": "0", "block2": "1", "block3": "2"}


@dataclass(frozen=True)
class Tiny:
    """Three blocks of convolution, in-place ReLU and pooling, 32 x 32 pixels, weights drawn with `seed`."""

    seed: int = 0

    name: ClassVar[str] = "tiny"

    def preprocessing(self) -> Preprocessing:
        """Small, so that tests are fast."""
        return Preprocessing(resize=32, crop=32)

    def identity(self) -> dict[str, Any]:
        """See Backbone."""
        return {"arch": "tiny", "seed": self.seed, "sees": self.preprocessing()}

    def layer_names(self) -> tuple[str, ...]:
        """See Backbone."""
        return tuple(LAYERS)

    def module_names(self) -> tuple[str, ...]:
        """See Backbone."""
        return (*LAYERS.values(), *(f"{path}.{part}" for path in LAYERS.values() for part in range(3)))

    def module_of(self, layer: str) -> str:
        """See Backbone."""
        return LAYERS.get(layer, layer)

    def load(self) -> "TappedNetwork":
        """See Backbone."""
        from torch import nn

        from offshelf.backbone.network import TappedNetwork
        from offshelf.backbone.seeded import seeded

        def block(inputs: int, outputs: int) -> nn.Module:
            return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2))

        with seeded(self.seed):
            return TappedNetwork(nn.Sequential(block(3, 8), block(8, 16), block(16, 32)), LAYERS, self.name)
