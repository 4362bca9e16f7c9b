"""No network, for features that others have extracted."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from offshelf.backbone.backbone import Backbone
from offshelf.backbone.preprocessing import Preprocessing
from offshelf.errors import BackboneError

if TYPE_CHECKING:
    from offshelf.backbone.network import TappedNetwork


@dataclass(frozen=True)
class NoNetwork(Backbone):
    """Stands for whatever extracted the features of a data set of features."""

    name: ClassVar[str] = "given"

    def preprocessing(self) -> Preprocessing:
        """Return any preprocessing, since no image is seen."""
        return Preprocessing(1, 1, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))

    @override
    def identity(self) -> dict[str, Any]:
        return {"arch": "given features"}

    @override
    def layer_names(self) -> tuple[str, ...]:
        return ("features",)

    @override
    def module_names(self) -> tuple[str, ...]:
        return ("features",)

    @override
    def module_of(self, layer: str) -> str:
        return layer

    @override
    def load(self) -> "TappedNetwork":
        raise BackboneError(
            "backbone=none is no network, so that it sees no images: it stands for features that were given "
            "(dataset=features)."
        )
