"""Raw pixels without a network, as a baseline."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from offshelf.backbone.backbone import Backbone
from offshelf.backbone.preprocessing import Preprocessing
from offshelf.errors import BackboneError

if TYPE_CHECKING:
    from offshelf.backbone.network import TappedNetwork


@dataclass(frozen=True)
class Pixels(Backbone):
    """The image, scaled to `size` x `size`, as a vector of 3 * size * size values in 0..1."""

    size: int = 32

    name: ClassVar[str] = "pixels"

    def __post_init__(self) -> None:
        if isinstance(self.size, bool) or not isinstance(self.size, int) or self.size < 1:
            raise BackboneError(f"backbone.size is a number of pixels from 1 on; got {self.size!r}.")

    def preprocessing(self) -> Preprocessing:
        """Return a preprocessing that only scales."""
        return Preprocessing(self.size, self.size, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))

    @override
    def identity(self) -> dict[str, Any]:
        return {"arch": "pixels", "sees": self.preprocessing()}

    @override
    def layer_names(self) -> tuple[str, ...]:
        return ("pixels",)

    @override
    def module_names(self) -> tuple[str, ...]:
        return ("0", "1")

    @override
    def module_of(self, layer: str) -> str:
        return {"pixels": "1"}.get(layer, layer)

    @override
    def load(self) -> "TappedNetwork":
        from torch import nn

        from offshelf.backbone.network import TappedNetwork

        shrink = nn.AdaptiveAvgPool2d(self.size)  # for views at another scale; images of this size stay unchanged
        return TappedNetwork(nn.Sequential(shrink, nn.Flatten()), {"pixels": "1"}, self.name)
