"""Descriptions of a backbone for people: its layers with their shapes, and its preprocessing."""

from dataclasses import replace
from typing import Any

from offshelf.backbone.backbone import Backbone, LayerInfo
from offshelf.backbone.running import in_one_sentence


def layer_table(backbone: Backbone) -> list[LayerInfo]:
    """Return curated layers from input to output, then every module; this needs no weights and no download."""
    spec: Any = backbone
    if getattr(spec, "weights", None):
        random = replace(spec, weights=None)
        spec = random if random.preprocessing() == backbone.preprocessing() else spec
    network, (high, wide) = spec.load(), backbone.preprocessing().size
    with in_one_sentence(f"{backbone.name} failed on an image of {wide} x {high} pixels in three channels"):
        listed: list[LayerInfo] = network.listing((high, wide))
    return listed


def what_it_sees(backbone: Backbone) -> str:
    """Return a line for people with the network's own preprocessing."""
    return f"{backbone.name} sees: {backbone.preprocessing()}"
