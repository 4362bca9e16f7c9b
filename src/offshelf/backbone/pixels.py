"""No network: what the images themselves are worth, as the baseline of every other number."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from offshelf.backbone.preprocessing import Preprocessing
from offshelf.errors import BackboneError

if TYPE_CHECKING:
    from offshelf.backbone.network import TappedNetwork


@dataclass(frozen=True)
class Pixels:
    """The image, scaled to `size` x `size`, as one vector of 3 * size * size values in 0..1."""

    size: int = 32

    name: ClassVar[str] = "pixels"

    def __post_init__(self) -> None:
        if isinstance(self.size, bool) or not isinstance(self.size, int) or self.size < 1:
            raise BackboneError(f"backbone.size is a number of pixels from 1 on; got {self.size!r}.")

    def preprocessing(self) -> Preprocessing:
        """Scaling alone."""
        return Preprocessing(self.size, self.size, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))

    def identity(self) -> dict[str, Any]:
        """See Backbone."""
        return {"arch": "pixels", "sees": self.preprocessing()}

    def layer_names(self) -> tuple[str, ...]:
        """See Backbone."""
        return ("pixels",)

    def module_names(self) -> tuple[str, ...]:
        """See Backbone."""
        return ("0", "1")

    def module_of(self, layer: str) -> str:
        """See Backbone."""
        return {"pixels": "1"}.get(layer, layer)

    def load(self) -> "TappedNetwork":
        """See Backbone."""
        from torch import nn

        from offshelf.backbone.network import TappedNetwork

        shrink = nn.AdaptiveAvgPool2d(self.size)  # of views at another scale; what has this size stays as it is
        return TappedNetwork(nn.Sequential(shrink, nn.Flatten()), {"pixels": "1"}, self.name)
