"""All layers of a backbone, with shapes."""

from offshelf.backbone.backbone import Backbone, LayerInfo


def layer_table(backbone: Backbone) -> list[LayerInfo]:
    """Curated layers from input to output, then every module."""
    return backbone.load().listing(backbone.preprocessing().crop)
