"""The user's own `nn.Module`, by dotted name."""

import importlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from offshelf.backbone.backbone import Backbone
from offshelf.backbone.checkpoint import chosen, load_weights
from offshelf.backbone.origin import Origin, origin, require, texts
from offshelf.backbone.preprocessing import Preprocessing
from offshelf.backbone.running import in_one_sentence, run_anew, settings_kept
from offshelf.backbone.sources import Sources, find, sources
from offshelf.backbone.torchvision_import import import_torchvision
from offshelf.backbone.weights_file import weights_digest
from offshelf.errors import BackboneError
from offshelf.identity import digest

if TYPE_CHECKING:
    from torch import nn

    from offshelf.backbone.derived_layers import Curated
    from offshelf.backbone.network import TappedNetwork


@dataclass(frozen=True)
class Custom(Backbone):
    """A class or function of the user that makes an `nn.Module`, in the working directory or installed."""

    module: str
    """`package.module.Class`."""
    kwargs: Mapping[str, Any] = field(default_factory=dict, hash=False)
    weights: str | None = None
    """A file of weights, or null for random ones, drawn with `seed`."""
    checkpoint_key: str | None = None
    """Key of the tensors in the file, as in `state_dict_ema`; null: found automatically if unique."""
    checkpoint_prefix: str | None = None
    """Prefix of the tensors' names, as in `module.encoder_q.`; null: found automatically if unique."""
    sees: Preprocessing = field(default_factory=Preprocessing)
    layers: Mapping[str, str] | None = field(default=None, hash=False)
    """Names to module paths, from input to output; null: found in the architecture."""
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "sees", Preprocessing.of(self.sees))

    @property
    def name(self) -> str:
        """Name of the class."""
        return self.module.rpartition(".")[2]

    @override
    def preprocessing(self) -> Preprocessing:
        return self.sees

    @override
    def identity(self) -> dict[str, Any]:
        """Include the user's sources and the files that they read, so that features follow the user's edits."""
        path = self._file()
        return {
            "arch": f"custom {self.module} {dict(self.kwargs)}",
            "made from": self._origin().identity(self._root()),
            "weights": weights_digest(path) if path else "random",
            **chosen(self.checkpoint_key, self.checkpoint_prefix),
            "seed": self.seed,  # of tensors that the weights lack, such as a classifier
            "sees": self.sees,
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

        expected = self._origin()
        model = self._made()
        require(model, expected, self.name)
        with in_one_sentence(f"{self.name} cannot be used"):
            return TappedNetwork(model, self._layers(), self.name)

    def _layers(self) -> Mapping[str, str]:
        return self.layers or _curated(self).layers

    @override
    def module_names(self) -> tuple[str, ...]:
        return _curated(self).modules

    def _file(self) -> Path | None:
        return Path(self.weights).expanduser().absolute() if self.weights else None

    def _origin(self) -> Origin:
        path = self._file()
        spec = {
            "module": self.module,
            "kwargs": repr(dict(self.kwargs)),
            "seed": self.seed,
            "texts": list(texts(self.kwargs)),
            "crop": self.sees.crop,
            "weights": weights_digest(path) if path else None,
            **chosen(self.checkpoint_key, self.checkpoint_prefix),
            "place": str(self._root()),
        }
        return origin(spec, self._sources, lambda: self._made(anew=True), path, self.sees.crop)

    def _sources(self) -> Sources:
        """Find the user's module and what it imports.

        Raises:
            BackboneError: There is no such module.
        """
        if str(Path.cwd()) not in sys.path:
            sys.path.insert(0, str(Path.cwd()))
        module = self.module.rpartition(".")[0]
        spec = find(module) if module not in ("", "__main__") else None
        if spec is None or spec.origin is None:
            raise BackboneError(
                f"There is no module '{module}' for backbone.module={self.module}; it is looked for from the working "
                "directory and among the installed packages. Expected: package.module.Class, in a file"
            )
        return sources(module)

    def _root(self) -> Path:
        """Return the folder of the top-level package of the user's module."""
        module = self.module.rpartition(".")[0]
        path = self._sources().modules.get(module, Path.cwd())
        return path.absolute().parents[module.count(".") + (path.stem == "__init__")]

    def _build(self, anew: bool = False) -> "nn.Module":
        found = self._sources()
        run_anew(found.modules, anew)
        if not found.ours.isdisjoint(("torchvision", "timm")):
            import_torchvision()
        module, _, name = self.module.rpartition(".")
        with settings_kept(), in_one_sentence(f"{self.module} could not be built with {dict(self.kwargs)}"):
            return getattr(importlib.import_module(module), name)(**self.kwargs)

    def _made(self, anew: bool = False) -> "nn.Module":
        """Build the network with its weights; for `anew` see `run_anew`."""
        from offshelf.backbone.modules import require_values, usable
        from offshelf.backbone.seeded import seeded

        with seeded(self.seed):
            model = usable(self._build(anew), self.module, self.sees.crop)
        require_values(model, self.module)
        path = self._file()
        if path:
            load_weights(model, path, self.checkpoint_key, self.checkpoint_prefix)
        return model


_found: "dict[str, Curated]" = {}


def _curated(spec: Custom) -> "Curated":
    """Return the layers of the architecture, which are found once."""
    from offshelf.backbone.derived_layers import curate
    from offshelf.backbone.modules import usable

    name = digest(spec.identity())
    if name not in _found:
        with in_one_sentence(
            f"{spec.name} does not take an image of {spec.sees.crop} x {spec.sees.crop} pixels in three channels",
            "Set what it sees, as in backbone.sees.crop=64 backbone.sees.resize=64",
        ):
            _found[name] = curate(lambda: usable(spec._build(), spec.module, spec.sees.crop), spec.sees.size)
    return _found[name]
