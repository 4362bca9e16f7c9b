"""Every classification model of torchvision, by name."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from offshelf.backbone.backbone import Backbone
from offshelf.backbone.checkpoint import chosen, load_weights
from offshelf.backbone.download import hub_file, is_published
from offshelf.backbone.preprocessing import Preprocessing
from offshelf.backbone.weights_file import weights_digest
from offshelf.errors import BackboneError
from offshelf.suggest import did_you_mean

if TYPE_CHECKING:
    from torch import nn

    from offshelf.backbone.derived_layers import Curated
    from offshelf.backbone.network import TappedNetwork


@dataclass(frozen=True)
class Torchvision(Backbone):
    """A torchvision classifier with published, random or your own weights."""

    arch: str
    """Name in `torchvision.models`: `convnext_tiny`."""
    weights: str | None = "DEFAULT"
    """A published set (`DEFAULT`, `IMAGENET1K_V1`), a file, or null for random weights, drawn with `seed`."""
    layers: Mapping[str, str] | None = field(default=None, hash=False)
    """Names to module paths, from input to output; null: found in the architecture."""
    seed: int = 0
    checkpoint_key: str | None = None
    """Key of the tensors in a file, as in `state_dict_ema`; null: found automatically if unique."""
    checkpoint_prefix: str | None = None
    """Prefix of the tensors' names, as in `module.encoder_q.`; null: found automatically if unique."""

    @property
    def name(self) -> str:
        """Name of the architecture."""
        return self.arch

    def preprocessing(self) -> Preprocessing:
        """Return the evaluation preprocessing of the published weights; for other weights, that of the newest ones.

        A file that equals a published one has that one's preprocessing.
        """
        seen = self._published().transforms()
        return Preprocessing(
            resize=seen.resize_size[0],
            crop=seen.crop_size[0],
            interpolation=seen.interpolation.value,
            mean=tuple(seen.mean),
            std=tuple(seen.std),
        )

    @override
    def identity(self) -> dict[str, Any]:
        path = self._file()
        weights = weights_digest(path) if path else "random"
        return {
            "arch": f"torchvision {self.arch}",
            "weights": weights,
            "seed": self.seed,
            "sees": self.preprocessing(),
            **chosen(self.checkpoint_key, self.checkpoint_prefix),
        }

    @override
    def layer_names(self) -> tuple[str, ...]:
        return tuple(self._layers())

    @override
    def module_of(self, layer: str) -> str:
        return self._layers().get(layer, layer)

    @override
    def load(self) -> "TappedNetwork":
        from offshelf.backbone.network import TappedNetwork
        from offshelf.backbone.seeded import seeded

        with seeded(self.seed):
            model = _build(self.arch, self.preprocessing().crop)
        path = self._file()
        if path:
            load_weights(model, path, self.checkpoint_key, self.checkpoint_prefix)
        return TappedNetwork(model, self._layers(), self.name, lambda size: _build(self.arch, size[0]))

    @override
    def module_names(self) -> tuple[str, ...]:
        return _curated(self.arch, self.preprocessing().crop).modules

    def _layers(self) -> Mapping[str, str]:
        return self.layers or _curated(self.arch, self.preprocessing().crop).layers

    def _file(self) -> Path | None:
        if self.weights is None:
            return None
        return self._own_file() or hub_file(self._published().url, self.name)

    def _published(self) -> Any:
        _check(self.arch)
        import torchvision.models

        sets = torchvision.models.get_model_weights(self.arch)
        path = self._own_file()
        if path:
            return next((one for one in sets if is_published(path, one.url)), sets.DEFAULT)
        if self.weights and self.weights not in sets.__members__:
            raise BackboneError(
                f"{self.arch} has no weights '{self.weights}'; it has {', '.join(sets.__members__)}, or use a file."
            )
        return sets[self.weights] if self.weights else sets.DEFAULT

    def _own_file(self) -> Path | None:
        is_file = self.weights and ("." in self.weights or "/" in self.weights)
        return Path(str(self.weights)).expanduser().absolute() if is_file else None


def _check(arch: str) -> None:
    from offshelf.backbone.torchvision_import import import_torchvision

    import_torchvision()
    import torchvision.models

    known = torchvision.models.list_models(module=torchvision.models)
    if arch not in known:
        raise BackboneError(f"torchvision has no classifier '{arch}'{did_you_mean(arch, known)}")


def _build(arch: str, size: int) -> "nn.Module":
    _check(arch)
    import torchvision.models

    surplus: dict[str, Any] = {"init_weights": False} if arch in ("googlenet", "inception_v3") else {}
    if arch.startswith("vit_"):
        surplus = {"image_size": size}  # some published weights need larger images than the architecture's 224
    model: nn.Module = torchvision.models.get_model(arch, weights=None, **surplus)
    return model


@lru_cache
def _curated(arch: str, size: int) -> "Curated":
    from offshelf.backbone.derived_layers import curate

    _check(arch)
    return curate(lambda: _build(arch, size), (size, size))
