"""Networks from a torch hub repository, such as DINOv2. The repository's code is run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from offshelf.backbone.checkpoint import load_tensors, read_tensors, weights_digest
from offshelf.backbone.download import downloads_forbidden, hub_file
from offshelf.backbone.preprocessing import Preprocessing
from offshelf.errors import BackboneError

if TYPE_CHECKING:
    from offshelf.backbone.network import TappedNetwork


@dataclass(frozen=True)
class TorchHub:
    """A model that a hub repository builds without weights (`pretrained=False`), and weights from a URL or file."""

    repo: str
    """`owner/name[:ref]`, or a folder with `source=local`."""
    model: str
    weights: str | None
    """URL or file; null for random ones."""
    layers: Mapping[str, str] = field(hash=False)
    """Name to module path, from input to output."""
    sees: Preprocessing = field(default_factory=Preprocessing)
    source: Literal["github", "local"] = "github"
    kwargs: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def name(self) -> str:
        """The model's name in the repository."""
        return self.model

    def preprocessing(self) -> Preprocessing:
        """See Backbone."""
        return self.sees

    def identity(self) -> dict[str, Any]:
        """See Backbone."""
        path = self._file()
        return {
            "arch": f"hub {self.source} {self.repo} {self.model} {dict(self.kwargs)}",
            "weights": weights_digest(path) if path else "random 0",
            "sees": self.sees,
        }

    def layer_names(self) -> tuple[str, ...]:
        """See Backbone."""
        return tuple(self.layers)

    def module_of(self, layer: str) -> str:
        """See Backbone."""
        return self.layers.get(layer, layer)

    def load(self) -> "TappedNetwork":
        """See Backbone."""
        import torch

        from offshelf.backbone.network import TappedNetwork
        from offshelf.backbone.seeded import seeded

        path = self._file()
        repo, source = self._code()
        try:
            with seeded(0):
                model = torch.hub.load(
                    repo, self.model, source=source, trust_repo=True, pretrained=False, **self.kwargs
                )
        except Exception as error:  # a hub repository may raise anything
            raise BackboneError(
                f"The hub repository {self.repo} could not give '{self.model}': {error}. It needs a connection the "
                "first time, or a copy: backbone.source=local backbone.repo=FOLDER"
            ) from error
        if path:
            load_tensors(model, read_tensors(path), path)
        return TappedNetwork(model, self.layers, self.name)

    def _code(self) -> tuple[str, str]:
        """Repository and source, as torch hub takes them; where nothing may be downloaded, the copy in its cache."""
        if self.source == "local" or not downloads_forbidden():
            return self.repo, self.source
        import torch

        name, _, ref = self.repo.partition(":")
        folders = [Path(torch.hub.get_dir()) / f"{name.replace('/', '_')}_{one}" for one in (ref or "main", "master")]
        found = next((folder for folder in folders if folder.is_dir()), None)
        if not found:
            raise BackboneError(f"its code is not at hand: {folders[0]} is missing")
        return str(found), "local"

    def _file(self) -> Path | None:
        if self.weights is None:
            return None
        if "://" in self.weights:
            return hub_file(self.weights, self.name)
        return Path(self.weights).expanduser().absolute()
