"""The transform of fused features."""

from offshelf.extractor import Features
from offshelf.layer_fusion import LayerFusion
from offshelf.postprocess import Transformer


def for_features(postprocess: Transformer, layer_fusion: LayerFusion | None, features: Features) -> Transformer:
    """Return the transform of features: of fused ones that which transforms each layer's part by itself."""
    return layer_fusion.transformer(postprocess, features.widths) if layer_fusion else postprocess
