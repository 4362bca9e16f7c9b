"""Several layers as one feature."""

from offshelf.layer_fusion.concat import Concat
from offshelf.layer_fusion.last_blocks import LastBlocks
from offshelf.layer_fusion.layer_fusion import LayerFusion, fused_name

__all__ = ["Concat", "LastBlocks", "LayerFusion", "fused_name"]
