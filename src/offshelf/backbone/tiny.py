"""A small random network, for tests and experiments."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from offshelf.backbone.backbone import Backbone
from offshelf.backbone.preprocessing import Preprocessing

if TYPE_CHECKING:
    from offshelf.backbone.network import TappedNetwork

LAYERS = {"block1": "0", "block2": "1", "block3": "2"}


@dataclass(frozen=True)
class Tiny(Backbone):
    """Three blocks of convolution, in-place ReLU and pooling, 32 x 32 pixels, weights drawn with `seed`."""

    seed: int = 0

    name: ClassVar[str] = "tiny"

    def preprocessing(self) -> Preprocessing:
        """Return a small preprocessing, so that tests are fast."""
        return Preprocessing(resize=32, crop=32)

    @override
    def identity(self) -> dict[str, Any]:
        return {"arch": "tiny", "seed": self.seed, "sees": self.preprocessing()}

    @override
    def layer_names(self) -> tuple[str, ...]:
        return tuple(LAYERS)

    @override
    def module_names(self) -> tuple[str, ...]:
        return (*LAYERS.values(), *(f"{path}.{part}" for path in LAYERS.values() for part in range(3)))

    @override
    def module_of(self, layer: str) -> str:
        return LAYERS.get(layer, layer)

    @override
    def load(self) -> "TappedNetwork":
        from torch import nn

        from offshelf.backbone.network import TappedNetwork
        from offshelf.backbone.seeded import seeded

        def block(inputs: int, outputs: int) -> nn.Module:
            return nn.Sequential(nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(inplace=True), nn.MaxPool2d(2))

        with seeded(self.seed):
            return TappedNetwork(nn.Sequential(block(3, 8), block(8, 16), block(16, 32)), LAYERS, self.name)
