"""Your own `nn.Module`, by dotted name."""

import importlib
import importlib.util
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offshelf.backbone.checkpoint import load_tensors, read_tensors, weights_digest
from offshelf.backbone.preprocessing import Preprocessing
from offshelf.errors import BackboneError
from offshelf.identity import file_digest

if TYPE_CHECKING:
    from torch import nn

    from offshelf.backbone.network import TappedNetwork


@dataclass(frozen=True)
class Custom:
    """A class or function of yours that makes an `nn.Module`, found from the working directory or installed."""

    module: str
    """`package.module.Class`."""
    kwargs: Mapping[str, Any] = field(default_factory=dict, hash=False)
    weights: str | None = None
    """A file, or null: random, drawn with `seed`."""
    sees: Preprocessing = field(default_factory=Preprocessing)
    layers: Mapping[str, str] | None = field(default=None, hash=False)
    """Name to module path, from input to output; without, they are found in the architecture."""
    seed: int = 0

    @property
    def name(self) -> str:
        """The class's name."""
        return self.module.rpartition(".")[2]

    def preprocessing(self) -> Preprocessing:
        """See Backbone."""
        return self.sees

    def identity(self) -> dict[str, Any]:
        """See Backbone; your source file counts, so that features follow your edits."""
        path = self._file()
        return {
            "arch": f"custom {self.module} {dict(self.kwargs)}",
            "source": file_digest(self._source()),
            "weights": weights_digest(path) if path else "random",
            "seed": self.seed,  # of what the weights leave out, a classifier for example
            "sees": self.sees,
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

        with seeded(self.seed):
            model = self._build()
        path = self._file()
        if path:
            load_tensors(model, read_tensors(path), path)
        return TappedNetwork(model, self._layers(), self.name)

    def _layers(self) -> Mapping[str, str]:
        from offshelf.backbone.curated import curate

        return self.layers or curate(self._build, self.sees.size).layers

    def _file(self) -> Path | None:
        return Path(self.weights).expanduser().absolute() if self.weights else None

    def _source(self) -> Path:
        module = self.module.rpartition(".")[0]
        if str(Path.cwd()) not in sys.path:
            sys.path.insert(0, str(Path.cwd()))
        try:
            spec = importlib.util.find_spec(module) if module else None
        except ImportError:
            spec = None
        if spec is None or spec.origin is None:
            raise BackboneError(
                f"There is no module '{module}' for backbone.module={self.module}; it is looked for from the working "
                "directory and among the installed packages. Expected: package.module.Class"
            )
        return Path(spec.origin)

    def _build(self) -> "nn.Module":
        from torch import nn

        self._source()
        module, _, name = self.module.rpartition(".")
        try:
            model = getattr(importlib.import_module(module), name)(**self.kwargs)
        except Exception as error:  # your code may raise anything
            raise BackboneError(f"{self.module} could not be built with {dict(self.kwargs)}: {error!r}") from error
        if not isinstance(model, nn.Module):
            raise BackboneError(f"{self.module} makes a {type(model).__name__}; an nn.Module was expected.")
        return model
