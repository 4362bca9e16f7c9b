"""Every model of timm, by name."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from math import floor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from offshelf.backbone.backbone import Backbone
from offshelf.backbone.checkpoint import chosen, load_weights, read_tensors
from offshelf.backbone.download import hub_file, hugging_face_file, is_published
from offshelf.backbone.preprocessing import Letterboxed, Preprocessing, Squashed, Upright
from offshelf.backbone.running import in_one_sentence
from offshelf.backbone.weights_file import weights_digest
from offshelf.errors import BackboneError
from offshelf.suggest import did_you_mean

if TYPE_CHECKING:
    from torch import nn

    from offshelf.backbone.derived_layers import Curated
    from offshelf.backbone.network import TappedNetwork
    from offshelf.backbone.outline import Size

READING = 2
"""Version of the interpretation of outputs, if it differs from the first one: see `reread`."""


@dataclass(frozen=True)
class Timm(Backbone):
    """A timm model with published, random or your own weights."""

    arch: str
    """Name in timm, with or without a tag: `vit_small_patch14_dinov2.lvd142m`."""
    weights: str | None = "pretrained"
    """`pretrained`, a file, or null for random weights, drawn with `seed`."""
    layers: Mapping[str, str] | None = field(default=None, hash=False)
    """Names to module paths, from input to output; null: found in the architecture."""
    seed: int = 0
    img_size: int | None = None
    """Side of the square input, in pixels; null: the published one. Position embeddings are resampled."""
    checkpoint_key: str | None = None
    """Key of the tensors in a file, as in `state_dict_ema`; null: found automatically if unique."""
    checkpoint_prefix: str | None = None
    """Prefix of the tensors' names, as in `module.encoder_q.`; null: found automatically if unique."""

    def __post_init__(self) -> None:
        side = self.img_size
        if side is not None and (isinstance(side, bool) or not isinstance(side, int) or side < 1):
            raise BackboneError(f"backbone.img_size is a number of pixels from 1 on, or null; got {side!r}.")

    @property
    def name(self) -> str:
        """Name of the architecture."""
        return self.arch

    def preprocessing(self) -> Preprocessing:
        """Return timm's evaluation of the published weights; for other weights too, except files of another tag."""
        return seen(self._config().to_dict(), self.img_size)

    @override
    def identity(self) -> dict[str, Any]:
        path = self._file()
        weights = weights_digest(path) if path else "random"
        named = {
            "arch": f"timm {self.arch.split('.')[0]}",
            "weights": weights,
            "seed": self.seed,
            "sees": self.preprocessing(),
            **chosen(self.checkpoint_key, self.checkpoint_prefix),
        }
        is_reread = _is_reread(self.arch, self.img_size, self.preprocessing().size)
        return named | ({"reading": READING} if is_reread else {})

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

        path = self._file()
        published = self.weights == "pretrained"
        with seeded(self.seed):
            # timm converts its own published files; a local file must fit unchanged.
            model = _build(self.arch, self.img_size, path if published else None)
        if path and not published:
            load_weights(model, path, self.checkpoint_key, self.checkpoint_prefix)
        return TappedNetwork(model, self._layers(), self.name, lambda size: _resized(self.arch, size))

    @override
    def module_names(self) -> tuple[str, ...]:
        return self._curated().modules

    def _layers(self) -> Mapping[str, str]:
        return self.layers or self._curated().layers

    def _curated(self) -> "Curated":
        return _curated(self.arch, self.img_size, self.preprocessing().size)

    def _config(self) -> Any:
        """Return timm's description of the weights: for a published file, its own."""
        config = _config(self.arch)
        if self.weights in (None, "pretrained"):
            return config
        return _config_of_file(Path(str(self.weights)).expanduser().absolute(), self.arch) or config

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
    """Import timm, with any build of torch."""
    from offshelf.backbone.torchvision_import import import_torchvision

    import_torchvision()
    import timm  # noqa: F401


def _config(arch: str) -> Any:
    import_timm()
    import timm

    name = arch.split(".")[0]
    if not timm.is_model(name):
        raise BackboneError(f"timm has no model '{arch}'{did_you_mean(name, timm.list_models())}")
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
        # The file that identity() digests; timm itself would search for one, on the network first.
        source = {"file": str(published)} if published.suffix == ".npz" else {"state_dict": read_tensors(published)}
        options |= {"pretrained": True, "pretrained_cfg_overlay": source}
    try:
        model: nn.Module = timm.create_model(arch, **options)
    except (RuntimeError, AssertionError, TypeError) as error:
        raise BackboneError(f"timm could not build {arch} with {sorted(options) or 'its defaults'}: {error}") from error
    return model


def _resized(arch: str, size: "Size") -> "nn.Module":
    """Build for images of another height and width, if the architecture allows it."""
    _config(arch)
    import timm

    model: nn.Module = timm.create_model(arch, img_size=size)
    return model


@lru_cache
def _curated(arch: str, img_size: int | None, size: "Size") -> "Curated":
    from offshelf.backbone.derived_layers import curate

    with in_one_sentence(f"{arch} does not take images of {size[0]} x {size[1]} pixels", "Leave out backbone.img_size"):
        return curate(lambda: _build(arch, img_size), size)


@lru_cache
def _is_reread(arch: str, img_size: int | None, size: "Size") -> bool:
    from offshelf.backbone.reread import is_reread

    return is_reread(lambda: _build(arch, img_size), size, lambda larger: _resized(arch, larger))


@lru_cache
def _config_of_file(path: Path, arch: str) -> Any:
    """Return the config of the tag whose published file this is, by the checksum in the published name."""
    import timm

    name = arch.split(".")[0]
    configs = [timm.get_pretrained_cfg(tag) for tag in timm.list_pretrained(f"{name}.*")]
    return next((one for one in configs if one and isinstance(one.url, str) and is_published(path, one.url)), None)


def seen(config: Mapping[str, Any], img_size: int | None = None) -> Preprocessing:
    """Return the geometry and normalisation of timm's own evaluation (`transforms_imagenet_eval`).

    Args:
        config: timm's `pretrained_cfg` of a model.
        img_size: Side of the square the network sees, in pixels; None: the published one.

    Raises:
        BackboneError: the model takes images of other than three channels.
    """
    from timm.data.config import resolve_data_config

    found = resolve_data_config({}, pretrained_cfg=dict(config))
    channels, height, width = found["input_size"]
    if channels != 3:
        raise BackboneError(f"{config['architecture']} sees images of {channels} channels; offshelf's have 3.")
    height, width = (img_size, img_size) if img_size else (height, width)
    common: dict[str, Any] = {
        "resize": floor(width / found["crop_pct"]),
        "crop": width,
        "interpolation": found["interpolation"],
        "mean": tuple(found["mean"]),
        "std": tuple(found["std"]),
    }
    kind = {"squash": Squashed, "border": Letterboxed}.get(found["crop_mode"], Upright)
    if kind is Upright and height == width:
        return Preprocessing(**common)
    return kind(**common, height=height, resize_height=floor(height / found["crop_pct"]))
