"""What a person is told of a backbone: its layers with their shapes, and what it sees."""

from dataclasses import replace
from typing import Any

from offshelf.backbone.backbone import Backbone, LayerInfo
from offshelf.backbone.running import in_one_sentence


def layer_table(backbone: Backbone) -> list[LayerInfo]:
    """Curated layers from input to output, then every module; weights are not needed, nor downloaded, for it."""
    spec: Any = backbone
    if getattr(spec, "weights", None):
        random = replace(spec, weights=None)
        spec = random if random.preprocessing() == backbone.preprocessing() else spec
    network, side = spec.load(), backbone.preprocessing().crop
    with in_one_sentence(f"{backbone.name} failed on an image of {side} x {side} pixels in three channels"):
        listed: list[LayerInfo] = network.listing(side)
    return listed


def what_it_sees(backbone: Backbone) -> str:
    """A line for people: the network's own preprocessing."""
    return f"{backbone.name} sees: {backbone.preprocessing()}"
