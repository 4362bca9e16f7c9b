"""Concatenation of the features of the layers that are asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from offshelf.backbone import Backbone, resolve_layers
from offshelf.errors import BackboneError
from offshelf.layer_fusion.layer_fusion import LayerFusion
from offshelf.postprocess import Transformer, by_part, sequence
from offshelf.suggest import did_you_mean


@dataclass(frozen=True)
class Concat(LayerFusion):
    """Features of several layers, each postprocessed by itself, then concatenated."""

    steps: Mapping[str, Sequence[str]] | None = field(default=None, hash=False)
    """Steps of `offshelf.postprocess.chain` for some of the layers, in place of `postprocess`; an empty list: none."""
    components: int | None = 500
    """Setting of the steps `pca` and `pca_whiten`."""
    power: float = 2.0
    """Setting of the step `power`."""

    def __post_init__(self) -> None:
        for steps in (self.steps or {}).values():
            self._chain(steps)

    def layers(self, backbone: Backbone, asked: str | Sequence[str]) -> tuple[str, ...]:
        """Return the layers that are asked for, from input to output.

        Raises:
            BackboneError: As `resolve_layers`; or there is only one, or `steps` names another one.
        """
        layers = resolve_layers(backbone, asked)
        if len(layers) < 2:
            raise BackboneError(
                f"layer_fusion=concat needs several layers, and of {backbone.name} there is {layers[0]} alone: "
                "layer=[A,B], or leave layer_fusion out."
            )
        for layer in self.steps or ():
            if layer not in layers:
                raise BackboneError(
                    f"layer_fusion.steps names '{layer}', which is not fused{did_you_mean(layer, layers)}"
                )
        return layers

    def transformer(self, postprocess: Transformer, widths: Mapping[str, int]) -> Transformer:
        """Return a transform of each part, by `steps` or by `postprocess`."""
        own = self.steps or {}
        parts = [self._chain(own[layer]) if layer in own else postprocess for layer in widths]
        return by_part(parts, list(widths.values()))

    def _chain(self, steps: Sequence[str]) -> Transformer:
        settings = {"components": self.components, "power": self.power}
        chain: Transformer = sequence(steps, settings, "layer_fusion")
        return chain
