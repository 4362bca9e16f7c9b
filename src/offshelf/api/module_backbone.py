"""An `nn.Module` object of the user's as a backbone."""

import copy
from collections.abc import Mapping
from functools import cached_property
from typing import Any
from uuid import uuid4

from torch import nn
from typing_extensions import override

from offshelf.backbone import Backbone, Preprocessing
from offshelf.backbone.derived_layers import curate
from offshelf.backbone.modules import require_values, usable
from offshelf.backbone.network import TappedNetwork
from offshelf.backbone.running import in_one_sentence
from offshelf.backbone.timm import seen


class ModuleBackbone(Backbone):
    """A copy of a module as it was when it was given; later training of the original changes nothing here.

    Its code cannot be identified, so that its features are valid for this object alone.
    """

    def __init__(
        self, module: nn.Module, sees: Any = None, layers: Mapping[str, str] | None = None, name: str | None = None
    ) -> None:
        """Copy the module.

        Args:
            module: Takes normalised images, float32 [N, 3, H, W].
            sees: A `Preprocessing`, or some of its fields by name. Without, that of a timm model is used, and of any
                other ImageNet's usual one: shorter side 256, centre crop 224, bilinear, mean and deviation of ImageNet.
            layers: Names and module paths, from input to output; without, they are found in the architecture.
            name: For messages and tables; without, the class's name.

        Raises:
            BackboneError: the module cannot be copied or used, or a field of `sees` does not exist.
        """
        self._name = name or type(module).__name__
        self._sees = Preprocessing.of(sees) if sees else _seen_by_timm(module) or Preprocessing()
        with in_one_sentence(f"{self.name} cannot be copied"):
            copied = copy.deepcopy(module)
        self._module = usable(copied, self.name, self._sees.crop)
        require_values(self._module, self.name)
        self._layers = layers
        self._id = uuid4().hex

    @property
    @override
    def name(self) -> str:
        return self._name

    @override
    def preprocessing(self) -> Preprocessing:
        return self._sees

    @override
    def identity(self) -> dict[str, Any]:
        return {"arch": f"object {self._id}", "sees": self._sees}

    @override
    def layer_names(self) -> tuple[str, ...]:
        return tuple(self._named)

    @override
    def module_names(self) -> tuple[str, ...]:
        return tuple(path for path, _ in self._module.named_modules() if path)

    @override
    def module_of(self, layer: str) -> str:
        return self._named.get(layer, layer)

    @override
    def load(self) -> TappedNetwork:
        with in_one_sentence(f"{self.name} cannot be used"):
            return TappedNetwork(copy.deepcopy(self._module), self._named, self.name)

    @cached_property
    def _named(self) -> Mapping[str, str]:
        if self._layers is not None:
            return self._layers
        high, wide = self._sees.size
        with in_one_sentence(
            f"{self.name} does not take an image of {wide} x {high} pixels in three channels",
            'Say what it sees, as in sees={"crop": 64, "resize": 64}',
        ):
            return curate(lambda: copy.deepcopy(self._module), self._sees.size).layers


def _seen_by_timm(module: nn.Module) -> Preprocessing | None:
    """Return what a timm model was trained to see; None of any other module."""
    config = getattr(module, "pretrained_cfg", None)
    if not isinstance(config, Mapping) or "input_size" not in config:
        return None
    return seen(config)
