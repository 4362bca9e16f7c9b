"""All layers of a backbone, with shapes."""

from dataclasses import fields, is_dataclass, replace
from typing import Any

from offshelf.backbone.backbone import Backbone, LayerInfo


def layer_table(backbone: Backbone) -> list[LayerInfo]:
    """Curated layers from input to output, then every module; weights are not needed, nor downloaded, for it."""
    spec: Any = backbone
    if is_dataclass(spec) and any(field.name == "weights" for field in fields(spec)):
        random = replace(spec, weights=None)  # type: ignore[type-var]
        spec = random if random.preprocessing() == backbone.preprocessing() else backbone
    listed: list[LayerInfo] = spec.load().listing(backbone.preprocessing().crop)
    return listed
