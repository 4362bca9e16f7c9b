"""Networks as cheap specs of architecture, weights, preprocessing and layer names, which load on demand."""

from offshelf.backbone.backbone import Backbone, LayerInfo, Network
from offshelf.backbone.cache import cached
from offshelf.backbone.custom import Custom
from offshelf.backbone.download import without_downloads
from offshelf.backbone.efficientnet_lite0 import EfficientNetLite0
from offshelf.backbone.hub import TorchHub
from offshelf.backbone.layer import place_of, resolve_layers, select_layers
from offshelf.backbone.listing import layer_dims, layer_table, what_it_sees
from offshelf.backbone.no_network import NoNetwork
from offshelf.backbone.overfeat import OverFeat
from offshelf.backbone.pixels import Pixels
from offshelf.backbone.pooling import Pooling
from offshelf.backbone.preprocessing import Preprocessing
from offshelf.backbone.timm import Timm
from offshelf.backbone.tiny import Tiny
from offshelf.backbone.torchvision import Torchvision

__all__ = [
    "Backbone",
    "Custom",
    "EfficientNetLite0",
    "LayerInfo",
    "Network",
    "NoNetwork",
    "OverFeat",
    "Pixels",
    "Pooling",
    "Preprocessing",
    "Timm",
    "Tiny",
    "TorchHub",
    "Torchvision",
    "cached",
    "layer_dims",
    "layer_table",
    "place_of",
    "resolve_layers",
    "select_layers",
    "what_it_sees",
    "without_downloads",
]
