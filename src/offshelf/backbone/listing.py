"""Descriptions of a backbone for people: its layers with their shapes, and its preprocessing."""

from dataclasses import replace
from typing import Any

from offshelf.backbone.backbone import Backbone, LayerInfo, Network
from offshelf.backbone.no_network import NoNetwork
from offshelf.backbone.running import in_one_sentence


def layer_table(backbone: Backbone) -> list[LayerInfo]:
    """Return curated layers from input to output, then every module; this needs no weights and no download."""
    return _listed(backbone)[1]


def layer_dims(backbone: Backbone) -> list[tuple[LayerInfo, int]]:
    """Return the layers of `layer_table` and the lengths of their vectors for `pooling=auto`, by one pass."""
    import torch

    network, listed = _listed(backbone)
    names = [info.name for info in listed]
    with _said(backbone):
        pooled = network.features(torch.zeros(1, 3, *backbone.preprocessing().size), names, "auto")
    return [(info, int(pooled[info.name].shape[1])) for info in listed]


def _listed(backbone: Backbone) -> tuple[Network, list[LayerInfo]]:
    spec: Any = backbone
    if getattr(spec, "weights", None):
        random = replace(spec, weights=None)
        spec = random if random.preprocessing() == backbone.preprocessing() else spec
    network: Network = spec.load()
    with _said(backbone):
        return network, network.listing(backbone.preprocessing().size)


def _said(backbone: Backbone) -> Any:
    high, wide = backbone.preprocessing().size
    return in_one_sentence(f"{backbone.name} failed on an image of {wide} x {high} pixels in three channels")


def what_it_sees(backbone: Backbone) -> str:
    """Return a line for people with the network's own preprocessing; empty without a network."""
    if isinstance(backbone, NoNetwork):
        return ""
    return f"{backbone.name} sees: {backbone.preprocessing()}"
