"""Every model of timm, by name."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import lru_cache
from math import floor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offshelf.backbone.checkpoint import chosen, load_weights
from offshelf.backbone.download import hub_file, hugging_face_file
from offshelf.backbone.preprocessing import Preprocessing
from offshelf.backbone.weights_file import read_tensors, weights_digest
from offshelf.errors import BackboneError

if TYPE_CHECKING:
    from torch import nn

    from offshelf.backbone.network import TappedNetwork


@dataclass(frozen=True)
class Timm:
    """A timm model with published, random or your own weights."""

    arch: str
    """Name in timm, with a tag or without: `vit_small_patch14_dinov2.lvd142m`."""
    weights: str | None = "pretrained"
    """`pretrained`, a file, or null: random, drawn with `seed`."""
    layers: Mapping[str, str] | None = field(default=None, hash=False)
    """Name to module path, from input to output; without, they are found in the architecture."""
    seed: int = 0
    img_size: int | None = None
    """Side of the square the network sees, in pixels; null: the published one. Position embeddings are resampled."""
    checkpoint_key: str | None = None
    """Where in a file of yours the tensors are, as in `state_dict_ema`; null: found, where there is one way."""
    checkpoint_prefix: str | None = None
    """How the names of the tensors begin, as in `module.encoder_q.`; null: found, where there is one way."""

    @property
    def name(self) -> str:
        """The architecture."""
        return self.arch

    def preprocessing(self) -> Preprocessing:
        """What timm evaluates the published weights with; also used for other weights.

        Images are never squashed: where timm does so, the centre is cropped instead.
        """
        import_timm()
        from timm.data.config import resolve_data_config

        seen = resolve_data_config({}, pretrained_cfg=_config(self.arch).to_dict())
        crop = self.img_size or seen["input_size"][-1]
        return Preprocessing(
            resize=floor(crop / seen["crop_pct"]),
            crop=crop,
            interpolation=seen["interpolation"],
            mean=tuple(seen["mean"]),
            std=tuple(seen["std"]),
        )

    def identity(self) -> dict[str, Any]:
        """See Backbone."""
        path = self._file()
        weights = weights_digest(path) if path else "random"
        return {
            "arch": f"timm {self.arch.split('.')[0]}",
            "weights": weights,
            "seed": self.seed,
            "sees": self.preprocessing(),
            **chosen(self.checkpoint_key, self.checkpoint_prefix),
        }

    def layer_names(self) -> tuple[str, ...]:
        """See Backbone."""
        return tuple(self._layers())

    def module_of(self, layer: str) -> str:
        """See Backbone."""
        return self._layers().get(layer, layer)

    def load(self) -> "TappedNetwork":
        """See Backbone."""
        from offshelf.backbone.network import TappedNetwork
        from offshelf.backbone.seeded import seeded

        path = self._file()
        published = self.weights == "pretrained"
        with seeded(self.seed):
            # timm converts its own published files; a local file must fit as it is.
            model = _build(self.arch, self.img_size, path if published else None)
        if path and not published:
            load_weights(model, path, self.checkpoint_key, self.checkpoint_prefix)
        return TappedNetwork(model, self._layers(), self.name)

    def _layers(self) -> Mapping[str, str]:
        return self.layers or _curated(self.arch, self.img_size, self.preprocessing().crop)

    def _file(self) -> Path | None:
        if self.weights is None:
            return None
        if self.weights != "pretrained":
            return Path(self.weights).expanduser().absolute()
        config = _config(self.arch)
        if config.hf_hub_id:
            return hugging_face_file(config.hf_hub_id, config.hf_hub_filename, self.name)
        if config.url:
            return hub_file(config.url, self.name)
        raise BackboneError(f"timm publishes no weights for {self.arch}; use backbone.weights=null or a file.")


def import_timm() -> None:
    """Import timm, beside any torch."""
    from offshelf.torchvision_import import import_torchvision

    import_torchvision()
    import timm  # noqa: F401


def _config(arch: str) -> Any:
    import_timm()
    import timm

    name = arch.split(".")[0]
    if not timm.is_model(name):
        near = get_close_matches(name, timm.list_models(), 3)
        hint = f"; did you mean {' or '.join(near)}?" if near else "."
        raise BackboneError(f"timm has no model '{arch}'{hint}")
    config = timm.get_pretrained_cfg(arch)
    if config is None:
        tags = [name for name in timm.list_pretrained(f"{name}.*")]
        raise BackboneError(f"timm has no weights '{arch}'; it has: {', '.join(tags)}.")
    return config


def _build(arch: str, img_size: int | None, published: Path | None = None) -> "nn.Module":
    config = _config(arch)
    import timm

    options: dict[str, Any] = {}
    if img_size and config.fixed_input_size:
        options["img_size"] = img_size
    if published:
        # The very file that identity() digests; timm itself would look for one, on the network first.
        source = {"file": str(published)} if published.suffix == ".npz" else {"state_dict": read_tensors(published)}
        options |= {"pretrained": True, "pretrained_cfg_overlay": source}
    try:
        model: nn.Module = timm.create_model(arch, **options)
    except (RuntimeError, AssertionError, TypeError) as error:
        raise BackboneError(f"timm could not build {arch} with {sorted(options) or 'its defaults'}: {error}") from error
    return model


@lru_cache
def _curated(arch: str, img_size: int | None, size: int) -> Mapping[str, str]:
    from offshelf.backbone.curated import curate

    return curate(lambda: _build(arch, img_size), size)
