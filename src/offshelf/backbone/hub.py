"""Networks from a torch hub repository, such as DINOv2. The repository's code is executed."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from typing_extensions import override

from offshelf.backbone.backbone import Backbone
from offshelf.backbone.checkpoint import chosen, load_weights
from offshelf.backbone.download import downloads_forbidden, hub_file
from offshelf.backbone.origin import Origin, origin, require, texts
from offshelf.backbone.preprocessing import Preprocessing
from offshelf.backbone.running import forget_compiled, in_one_sentence, settings_kept
from offshelf.backbone.sources import Sources
from offshelf.backbone.weights_file import weights_digest
from offshelf.errors import BackboneError

if TYPE_CHECKING:
    from torch import nn

    from offshelf.backbone.network import TappedNetwork

NO_SOURCE = (".git", "__pycache__")
"""Folders of a repository without content of its own."""


@dataclass(frozen=True)
class TorchHub(Backbone):
    """A model that a hub repository builds without weights (`pretrained=False`), with weights from a URL or file."""

    repo: str
    """`owner/name[:ref]`, or a folder with `source=local`."""
    model: str
    weights: str | None
    """URL or file; null for random weights."""
    layers: Mapping[str, str] = field(hash=False)
    """Names to module paths, from input to output."""
    sees: Preprocessing = field(default_factory=Preprocessing)
    source: Literal["github", "local"] = "github"
    kwargs: Mapping[str, Any] = field(default_factory=dict, hash=False)
    checkpoint_key: str | None = None
    """Key of the tensors in the file, as in `teacher`; null: found automatically if unique."""
    checkpoint_prefix: str | None = None
    """Prefix of the tensors' names, as in `backbone.`; null: found automatically if unique."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "sees", Preprocessing.of(self.sees))

    @property
    def name(self) -> str:
        """Name of the model in the repository."""
        return self.model

    @override
    def preprocessing(self) -> Preprocessing:
        return self.sees

    @override
    def identity(self) -> dict[str, Any]:
        """Include the whole repository, and everything else that its code reads."""
        path = self._file()
        return {
            "arch": f"hub {self.source} {self.repo} {self.model} {dict(self.kwargs)}",
            "made from": self._origin().identity(self._folder() or Path.cwd()),
            "weights": weights_digest(path) if path else "random 0",
            **chosen(self.checkpoint_key, self.checkpoint_prefix),
            "sees": self.sees,
        }

    @override
    def layer_names(self) -> tuple[str, ...]:
        return tuple(self.layers)

    @override
    def module_names(self) -> tuple[str, ...]:
        return ()

    @override
    def module_of(self, layer: str) -> str:
        return self.layers.get(layer, layer)

    @override
    def load(self) -> "TappedNetwork":
        from offshelf.backbone.network import TappedNetwork

        expected = self._origin()
        model = self._made()
        require(model, expected, self.name)
        return TappedNetwork(model, self.layers, self.name)

    def _origin(self) -> Origin:
        path = self._file()
        spec = {
            "hub": [self.source, self.repo, self.model, repr(dict(self.kwargs))],
            "texts": list(texts(self.kwargs)),
            "crop": self.sees.crop,
            "weights": weights_digest(path) if path else None,
            **chosen(self.checkpoint_key, self.checkpoint_prefix),
        }
        return origin(spec, self._sources, self._made, path, self.sees.crop)

    def _sources(self) -> Sources:
        """Return all files of the repository that exist locally."""
        folder = self._folder()
        if folder is None:
            return Sources()
        files = (path for path in sorted(folder.rglob("*")) if not set(NO_SOURCE) & set(path.relative_to(folder).parts))
        return Sources({path.relative_to(folder).as_posix(): path for path in files if path.is_file()})

    def _folder(self) -> Path | None:
        """Return the folder of the repository's code; None if it was not fetched yet."""
        if self.source == "local":
            return Path(self.repo).expanduser().absolute()
        import torch

        name, _, ref = self.repo.partition(":")
        parent, name = Path(torch.hub.get_dir()), name.replace("/", "_")
        folders = [parent / f"{name}_{one.replace('/', '_')}" for one in ((ref,) if ref else ("main", "master"))]
        return next((folder for folder in folders if folder.is_dir()), None)

    def _made(self) -> "nn.Module":
        """Build the network with its weights."""
        import torch

        from offshelf.backbone.modules import usable
        from offshelf.backbone.seeded import seeded

        repo, source = self._code()
        failure = f"The hub repository {self.repo} could not build '{self.model}'"
        way_out = "It needs a connection the first time, or a copy: backbone.source=local backbone.repo=FOLDER"
        _forget_repositories(self._folder())
        with settings_kept(), in_one_sentence(failure, way_out), seeded(0):
            made = torch.hub.load(repo, self.model, source=source, trust_repo=True, pretrained=False, **self.kwargs)
            model = usable(made, self.model, self.sees.crop)
        path = self._file()
        if path:
            load_weights(model, path, self.checkpoint_key, self.checkpoint_prefix)
        return model

    def _code(self) -> tuple[str, str]:
        """Return repository and source for torch hub: the cached copy if downloads are forbidden."""
        if self.source == "local" or not downloads_forbidden():
            return str(self._folder()) if self.source == "local" else self.repo, self.source
        folder = self._folder()
        if not folder:
            raise BackboneError(f"its code is not available locally: {self.repo} was never fetched")
        return str(folder), "local"

    def _file(self) -> Path | None:
        if self.weights is None:
            return None
        if "://" in self.weights:
            return hub_file(self.weights, self.name)
        return Path(self.weights).expanduser().absolute()


_repositories: set[str] = set()
"""Folders of repositories whose code this process has executed."""


def _forget_repositories(folder: Path | None) -> None:
    """Make modules of repositories be imported again: two repositories, or two states of one, may share a name."""
    if folder:
        _repositories.add(f"{folder}/")
    for name, module in list(sys.modules.items()):
        file = str(getattr(module, "__file__", None))
        if file.startswith(tuple(_repositories)):
            forget_compiled([file])
            del sys.modules[name]
