"""`load_backbone`, and the handle that it returns."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offshelf.api.encoding import Encoded, Encoding
from offshelf.api.overrides import choice, override
from offshelf.backbone import Pooling, layer_dims, select_layers, what_it_sees
from offshelf.errors import BackboneError, ConfigError

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

    from offshelf import backbone as backbones
    from offshelf.augmentation import Augmentation
    from offshelf.store import FeatureStore

LOADED = 4
"""Named backbones whose networks stay in memory from one call to the next."""


class Backbone:
    """A network with its weights, preprocessing and layer names, made by `load_backbone`.

    The network itself is built when it is first needed, and then stays in memory. A handle of a named backbone is
    pickled by name; copies of a handle are the handle itself.
    """

    def __init__(
        self,
        spec: "backbones.Backbone",
        made: Callable[[], "Backbone"] | None = None,
        overrides: Sequence[str] = (),
    ) -> None:
        """Wrap a spec.

        Args:
            spec: Of `offshelf.backbone`.
            made: Makes an equal handle in another process; None where that is not possible.
            overrides: Those of the command line that stand for the spec; empty where there are none.
        """
        from offshelf.extractor import Networks
        from offshelf.store import MemoryStore

        self.spec = spec
        """The spec in `offshelf.backbone`, as tasks take it."""
        self.overrides = tuple(overrides)
        """What names it on the command line: `backbone=tiny`, `backbone.seed=1`; empty for a spec or a module."""
        self._made = made
        self._memory = MemoryStore()
        self._networks = Networks()

    @property
    def name(self) -> str:
        """The short name in tables and runs."""
        return self.spec.name

    @property
    def layers(self) -> "pd.DataFrame":
        """A table of all layers that can be asked for: the curated ones from input to output, then every other module.

        The index is the layer's name; the columns are `module` (dotted path), `shape` (of the output for one image,
        without the batch axis) and `dims` (length of its feature vector with `pooling="auto"`).
        """
        return _layer_frame(self.spec)

    def encode(
        self,
        images: Any,
        layer: str | Sequence[str] = "last",
        *,
        pooling: Pooling = "auto",
        augmentation: "str | Augmentation" = "center",
        device: str = "auto",
        precision: str = "float32",
        batch_size: int = 32,
        store: "str | Path | FeatureStore | None" = None,
        progress: bool = False,
        as_frame: bool = False,
    ) -> Any:
        """Return features of images: float32 [n, D], one row for each image, in the order of the images.

        The numbers are those of `offshelf extract` with the same settings.

        Args:
            images: One image, or several. An image is a path, the bytes of an image file, a PIL image, or uint8 pixels
                [H, W, 3] (NumPy array or PyTorch tensor, RGB, colours last). Several images are a folder (all image
                files below it, sorted), uint8 pixels [N, H, W, 3], a list, tuple, array or pandas Series of images, or
                a data set, such as torchvision's: a sequence whose items are (image, label) pairs, without random
                transforms.
            layer: A layer's name, `"last"`, or several: a list of names, `"all"`, or a pattern such as `"blocks.*"`.
            pooling: How maps become vectors: `"auto"`, `"avg"`, `"max"`, `"gem"`, `"rmac"`, `"cls"` or `"flatten"`.
            augmentation: An option of `conf/augmentation`, or an `Augmentation`. With V > 1 views the result has an
                axis for them: [n, V, D].
            device: `"auto"` (the GPU if there is one), `"cpu"` or `"cuda"`.
            precision: `"float32"` or `"bfloat16"`.
            batch_size: Views per forward pass; does not change the numbers.
            store: Where features are kept. None: nowhere, they are computed each time. `"home"`: the store of the
                command line; of an `nn.Module` that was given as an object, memory. A folder: a store in this folder.
                Images whose features are in the store are not passed through the network again.
            progress: Whether to show a progress bar, on stderr or in the notebook.
            as_frame: Whether to return a pandas DataFrame. Its index is the images' ids (paths of files, relative to a
                folder that was given; the index of a Series; row numbers otherwise), its columns `layer_0`, `layer_1` …

        Returns:
            The features of one layer; of one image without the first axis: [D]. For several layers a dictionary.

        Raises:
            BadImagesError: images that cannot be used, each with its row or path.
            BackboneError: the network or one of the layers is not available.
            ConfigError: a setting does not exist or does not fit.
            StoreError: the store cannot be read or written.
        """
        names = self.layer_names(layer)
        found = self.encoded(
            images,
            names,
            pooling=pooling,
            augmentation=augmentation,
            device=device,
            precision=precision,
            batch_size=batch_size,
            store=store,
            progress=progress,
        )
        values = found.frames() if as_frame else found.values
        return values[names[0]] if _is_one(layer) else values

    def layer_names(self, layer: str | Sequence[str] = "all") -> tuple[str, ...]:
        """Return the names of the layers that a name, a list of names, `"all"`, `"last"` or a pattern stands for.

        Raises:
            BackboneError: there is no such layer.
        """
        spec = self.spec
        return select_layers(layer, spec.layer_names(), spec.name, spec.module_names)

    def encoded(
        self,
        images: Any,
        names: Sequence[str],
        *,
        pooling: Pooling,
        augmentation: "str | Augmentation",
        device: str,
        precision: str,
        batch_size: int,
        store: "str | Path | FeatureStore | None",
        progress: bool,
        also: Sequence[str] = (),
    ) -> Encoded:
        """Return features and ids; see `encode`. Layers in `also` are extracted in the same pass, for later calls."""
        from offshelf.extractor import Extractor

        extractor = Extractor(precision=precision, device=device, batch_size=batch_size)  # type: ignore[arg-type]
        views = _augmentation(augmentation)
        encoding = Encoding(self.spec, pooling, views, extractor, self._store(store), self._networks)
        return encoding.run(images, names, also, progress)

    def _store(self, store: "str | Path | FeatureStore | None") -> "FeatureStore":
        from offshelf.api.stores import HOME, open_store
        from offshelf.store import MemoryStore

        if store is None or isinstance(store, MemoryStore):
            return store or MemoryStore()
        if self._made is None and store == HOME:
            return self._memory
        if self._made is None:
            raise ConfigError(
                f"Features of {self.name} cannot be kept on disk: it was given as an object, whose code is not known. "
                "Use store=None, or name its class: load_backbone('custom', module='package.module.Class')."
            )
        return open_store(store)

    def __repr__(self) -> str:
        return f"<{what_it_sees(self.spec)}; layers: {', '.join(self.spec.layer_names())}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Backbone) and self.spec == other.spec

    def __hash__(self) -> int:
        return hash((type(self.spec), self.name))

    def __copy__(self) -> "Backbone":
        return self

    def __deepcopy__(self, memo: Any) -> "Backbone":
        return self

    def __reduce__(self) -> Any:
        if self._made is None:
            raise BackboneError(
                f"{self.name} was given as an object and cannot be sent to another process. "
                "Name its class: load_backbone('custom', module='package.module.Class')."
            )
        return self._made, ()


def load_backbone(backbone: "str | nn.Module | backbones.Backbone | Backbone", /, **options: Any) -> Backbone:
    """Return a handle of a network with its weights, preprocessing and layer names.

    Args:
        backbone: The name of an option of `conf/backbone`, such as `"efficientnet_lite0"` or `"resnet50"`; `"timm"`,
            `"torchvision"` or `"custom"` with the keys that name the architecture; a spec of `offshelf.backbone`; or an
            `nn.Module` that takes normalised images, float32 [N, 3, H, W]. A module is copied as it is now.
        **options: Keys of the option, as on the command line: `arch="resnet18"`, `weights=None`, `seed=1`. Of a module:
            `sees`, a mapping with any of `resize`, `crop`, `interpolation`, `mean` and `std` (without, what a timm
            model was trained with; of any other module shorter side 256, centre crop 224, bilinear, and ImageNet's mean
            and standard deviation); `layers`, a mapping from names to module paths (without, they are found in the
            architecture); and `name`.

    Raises:
        ConfigError: there is no such option, or it has no such key.
        BackboneError: the network is not available, or is not usable.

    Examples:
        >>> import offshelf
        >>> net = offshelf.load_backbone("tiny", seed=1)
        >>> net.layers.loc["block1"].dims
        8
    """
    if isinstance(backbone, str):
        return _named(backbone, tuple(sorted(override(f"backbone.{key}", value) for key, value in options.items())))
    if hasattr(backbone, "forward"):
        return Backbone(_of_module(backbone, options))
    if options:
        raise ConfigError(f"{', '.join(options)}: keys of a backbone go with its name; this spec has its own.")
    if isinstance(backbone, Backbone):
        return backbone
    if not hasattr(backbone, "layer_names"):
        raise BackboneError(
            f"A backbone is a name, an nn.Module or a spec of offshelf.backbone; got a {type(backbone).__name__}."
        )
    return Backbone(backbone, partial(load_backbone, backbone))


@lru_cache(LOADED)
def _named(name: str, overrides: tuple[str, ...]) -> Backbone:
    from offshelf.config import build_group, load

    words = [choice("backbone", name), *overrides]
    return Backbone(build_group(load("layers", words), "backbone"), partial(_named, name, overrides), words)


def _of_module(module: Any, options: Mapping[str, Any]) -> "backbones.Backbone":
    from offshelf.api.module_backbone import ModuleBackbone
    from offshelf.suggest import did_you_mean

    known = ("sees", "layers", "name")
    for key in options:
        if key not in known:
            raise ConfigError(f"An nn.Module has no option '{key}'{did_you_mean(key, known)}")
    return ModuleBackbone(module, **options)


@lru_cache
def _augmentation_of(name: str) -> "Augmentation":
    from offshelf.config import build_group, load

    augmentation: Augmentation = build_group(load("extract", [choice("augmentation", name)]), "augmentation")
    return augmentation


def _augmentation(given: "str | Augmentation") -> "Augmentation":
    return _augmentation_of(given) if isinstance(given, str) else given


def _is_one(layer: Any) -> bool:
    """Whether a layer is asked for by its name, so that the result is an array."""
    return isinstance(layer, str | int) and layer != "all" and not any(letter in str(layer) for letter in "*?[")


def _layer_frame(spec: "backbones.Backbone") -> "pd.DataFrame":
    import pandas as pd

    rows = layer_dims(spec)
    columns = {
        "module": [info.module for info, _ in rows],
        "shape": [info.shape for info, _ in rows],
        "dims": [dims for _, dims in rows],
    }
    return pd.DataFrame(columns, pd.Index([info.name for info, _ in rows], name="layer"))
