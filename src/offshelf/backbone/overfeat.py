"""OverFeat (Sermanet et al., ICLR 2014): both released networks, from their flat weight files."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from typing_extensions import override

from offshelf.backbone.backbone import Backbone
from offshelf.backbone.preprocessing import Preprocessing
from offshelf.backbone.weights_file import weights_digest
from offshelf.errors import BackboneError
from offshelf.suggest import did_you_mean

if TYPE_CHECKING:
    import torch
    from torch import nn

    from offshelf.backbone.network import TappedNetwork

MEAN, STD = 118.380948, 61.896913
"""Mean and deviation of all channels, for RGB values in 0..255."""

THRESHOLD = 1e-6
"""Threshold of the package's ReLU: x if x > 1e-6, else 0."""

PAPER = "fc1_relu"
"""The layer of the alias `paper`.

Razavian et al. (CVPR-W 2014) use the accurate network's "first fully connected layer (layer 22)". The package counts
from 0 with the normalisation as module 0: its 22 is the second fully connected layer before its ReLU (`fc2`). Counted
from 1, as in Matlab, 22 is the first one after its ReLU. This is the only numbering in which both statements are true;
it also agrees with their figure 2a, where the last two fully connected layers are worse. `fc2`, which the package's own
`-f` gave, and `fc1` remain candidates: score all three with layer=[fc1,fc1_relu,fc2].
"""


@dataclass(frozen=True)
class _Stage:
    """A convolution, with zero padding before it, and a ReLU (except for the classifier) and pooling after it.

    Fully connected layers are convolutions, so that larger images give maps. All windows are square, in pixels.
    """

    name: str
    channels: int
    kernel: int
    stride: int = 1
    padding: int = 0
    pool: int = 0
    """Window and stride of max pooling; 0: none."""

    def modules(self) -> list[str]:
        """Return the names of its modules, in order."""
        padding = [f"{self.name}_pad"] if self.padding else []
        relu = [f"{self.name}_relu"] if self.name != "classifier" else []
        pool = [self.name.replace("conv", "pool")] if self.pool else []
        return [*padding, self.name, *relu, *pool]


STAGES = {
    "fast": (
        _Stage("conv1", 96, 11, stride=4, pool=2),
        _Stage("conv2", 256, 5, pool=2),
        _Stage("conv3", 512, 3, padding=1),
        _Stage("conv4", 1024, 3, padding=1),
        _Stage("conv5", 1024, 3, padding=1, pool=2),
        _Stage("fc1", 3072, 6),
        _Stage("fc2", 4096, 1),
        _Stage("classifier", 1000, 1),
    ),
    "accurate": (
        _Stage("conv1", 96, 7, stride=2, pool=3),
        _Stage("conv2", 256, 7, pool=2),
        _Stage("conv3", 512, 3, padding=1),
        _Stage("conv4", 512, 3, padding=1),
        _Stage("conv5", 1024, 3, padding=1),
        _Stage("conv6", 1024, 3, padding=1, pool=3),
        _Stage("fc1", 4096, 5),
        _Stage("fc2", 4096, 1),
        _Stage("classifier", 1000, 1),
    ),
}
FILES = {"fast": "net_weight_0", "accurate": "net_weight_1"}
OPTIONS = {"fast": "overfeat_fast", "accurate": "overfeat"}


@dataclass(frozen=True)
class OverFeat(Backbone):
    """One of the two released networks, trained on ILSVRC 2013.

    Layers are requested by name (`conv1`, `conv1_relu`, `pool1`, ... `fc2_relu`, `classifier`) or by the package's
    module index (`22`). The classes of `classifier` are in the order of ILSVRC2012_ID (0: kit fox), not in that of
    sorted WordNet ids, which torchvision and timm have.
    """

    network: Literal["accurate", "fast"]
    """The package's large (`-l`, 25 modules) or small network (22 modules)."""
    weights: str | None
    """The package's `net_weight_1` (accurate) or `net_weight_0` (fast), or null for random ones, drawn with `seed`."""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.network not in STAGES:
            raise BackboneError(f"OverFeat has no network '{self.network}'{did_you_mean(self.network, list(STAGES))}")

    @property
    def name(self) -> str:
        """Name on the command line."""
        return OPTIONS[self.network]

    def preprocessing(self) -> Preprocessing:
        """Return the package's preprocessing: shorter side to 231 for both networks; the centre that one output sees.

        The paper warps the whole image instead (augmentation=whole), with Matlab's imresize: bicubic, antialiased.
        """
        crop = {"fast": 231, "accurate": 221}[self.network]
        return Preprocessing(231, crop, "bicubic", mean=(MEAN / 255,) * 3, std=(STD / 255,) * 3)

    @override
    def identity(self) -> dict[str, Any]:
        path = self._file()
        weights = weights_digest(path) if path else f"random {self.seed}"
        return {"arch": f"overfeat {self.network}", "weights": weights, "sees": self.preprocessing()}

    @override
    def layer_names(self) -> tuple[str, ...]:
        """Return the curated layers; normalisation, padding and `classifier` (class scores) can be requested too."""
        left_out = ("norm", "classifier", "paper")
        return tuple(layer for layer in self._layers() if layer not in left_out and not layer.endswith("_pad"))

    @override
    def module_names(self) -> tuple[str, ...]:
        return ()

    @override
    def module_of(self, layer: str) -> str:
        """Return the index of a module in the package."""
        return self._layers().get(layer, layer)

    @override
    def load(self) -> "TappedNetwork":
        import torch

        from offshelf.backbone.network import TappedNetwork

        path = self._file()
        with torch.device("meta"):
            module = _build(STAGES[self.network])
        if path:
            module.load_state_dict(_map(path, module), assign=True)
        else:
            _draw(module, self.seed)
        return TappedNetwork(module, self._layers(), self.name)

    def _layers(self) -> dict[str, str]:
        names = ["norm", *(name for stage in STAGES[self.network] for name in stage.modules())]
        layers = {name: str(index) for index, name in enumerate(names)}
        return layers | ({"paper": layers[PAPER]} if self.network == "accurate" else {})

    def _file(self) -> Path | None:
        if self.weights is None:
            return None
        path = Path(self.weights).expanduser().absolute()
        _require_weights(path, self.network)
        return path


def _count(network: str) -> int:
    """Return the number of weights and biases of a network."""
    stages = STAGES[network]
    inputs = [3, *(stage.channels for stage in stages[:-1])]
    return sum(stage.channels * (before * stage.kernel**2 + 1) for before, stage in zip(inputs, stages, strict=True))


def _require_weights(path: Path, network: str) -> None:
    """Reject a file that cannot be the network's, by its size, without reading it.

    Raises:
        BackboneError: The file is missing, of another network, or not a whole number of weights.
    """
    if not path.is_file():
        raise BackboneError(
            f"{OPTIONS[network]} needs its weights at {path}. They are in overfeat-weights.tgz, which "
            f"download_weights.py of https://github.com/sermanet/OverFeat fetches; place its {FILES[network]} there, "
            "or use backbone.weights=FILE, or backbone.weights=null for random ones."
        )
    size, expected = path.stat().st_size, _count(network)
    if size == 4 * expected:
        return
    for other in STAGES:
        if size == 4 * _count(other):
            raise BackboneError(
                f"{path} holds {size // 4:,} weights, those of the {other} network; {OPTIONS[network]} needs "
                f"{FILES[network]} with {expected:,}. Use that file, or backbone={OPTIONS[other]}"
            )
    raise BackboneError(
        f"{path} has {size:,} bytes ({size / 4:,.10g} float32 numbers); {FILES[network]} has {4 * expected:,} "
        f"({expected:,}). It is another file, or was not copied completely: copy it again."
    )


def _build(stages: tuple[_Stage, ...]) -> "nn.Sequential":
    """Build the modules in the package's numbering; module 0 passes on the normalised images."""
    from torch import nn

    modules: list[nn.Module] = [nn.Identity()]
    inputs = 3
    for stage in stages:
        if stage.padding:
            modules.append(nn.ZeroPad2d(stage.padding))
        modules.append(nn.Conv2d(inputs, stage.channels, stage.kernel, stage.stride))
        if stage.name != "classifier":
            modules.append(nn.Threshold(THRESHOLD, 0.0))
        if stage.pool:
            modules.append(nn.MaxPool2d(stage.pool))
        inputs = stage.channels
    return nn.Sequential(*modules)


def _map(path: Path, module: "nn.Module") -> dict[str, "torch.Tensor"]:
    """Return the file's tensors, memory-mapped: little-endian float32, per convolution weights [out, in, kH, kW], bias.

    Raises:
        BackboneError: A number is not finite.
    """
    import numpy as np
    import torch

    flat = torch.from_numpy(np.memmap(path, "<f4", mode="c"))  # copy on write: the file is never changed
    own = module.state_dict()
    parts = flat.split([value.numel() for value in own.values()])
    tensors = {name: part.view(own[name].shape) for name, part in zip(own, parts, strict=True)}
    for name, values in tensors.items():
        if not all(bound.isfinite() for bound in values.aminmax()):  # aminmax propagates NaN and copies nothing
            index, kind = name.split(".")
            raise BackboneError(f"{path} is damaged: the {kind} of module {index} is not finite; copy it again.")
    return tensors


def _draw(module: "nn.Sequential", seed: int) -> None:
    """Draw random weights under which activations keep their scale (He et al., ICCV 2015), with biases 0."""
    from torch import nn

    from offshelf.backbone.seeded import seeded

    module.to_empty(device="cpu")
    with seeded(seed):
        for part in module:
            if isinstance(part, nn.Conv2d) and part.bias is not None:
                nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
                nn.init.zeros_(part.bias)
