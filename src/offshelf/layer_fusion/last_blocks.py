"""The feature of DINOv2's linear evaluation, for vision transformers of any kind."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from offshelf.backbone import Backbone
from offshelf.errors import BackboneError, ConfigError
from offshelf.layer_fusion.layer_fusion import LayerFusion
from offshelf.postprocess import Transformer, by_part

NUMBERED = re.compile(r"(.*[._])(\d+)")
"""Path of a block: `blocks.11`, `encoder.layers.encoder_layer_11`."""
NORM = re.compile(r"ln(_\w+)?|\w*norm")
"""Name of the module that normalises the tokens after the last block."""


@dataclass(frozen=True)
class LastBlocks(LayerFusion):
    """Class tokens of the last blocks and, with `patches`, the mean of the last block's patch tokens, concatenated.

    Oquab et al., TMLR 2024, appendix B.3, and the function `create_linear_input` of their code: all tokens are
    normalised by the network's last norm, and the patch tokens are those of the last block only.
    """

    blocks: int = 4
    """Number of blocks; the paper tries 1 and 4."""
    patches: bool = True
    """Whether the mean of the last block's patch tokens is added; the paper tries both."""

    def __post_init__(self) -> None:
        if isinstance(self.blocks, bool) or not isinstance(self.blocks, int) or self.blocks < 1:
            raise ConfigError(f"layer_fusion.blocks is a number of blocks from 1 on; got {self.blocks!r}.")

    def layers(self, backbone: Backbone, asked: str | Sequence[str] = "last") -> tuple[str, ...]:
        """Return the layers: `norm of blocks.10@cls`, `norm@cls`, `norm@avg`.

        Raises:
            BackboneError: Other layers are asked for, or the network has no such blocks.
        """
        if asked not in ("last", "all"):
            raise BackboneError("layer_fusion=dinov2 chooses the layers itself: leave out layer=…")
        names = {backbone.module_of(layer): layer for layer in backbone.layer_names()}
        paths = backbone.module_names() or tuple(names)
        stem, number, norm = _trunk(paths, backbone.name)
        if self.blocks > number + 1:
            raise BackboneError(f"layer_fusion.blocks={self.blocks}, and {backbone.name} has {number + 1} blocks.")
        last = names.get(norm, norm)
        inner = [f"{stem}{place}" for place in range(number + 1 - self.blocks, number)]
        tokens = [f"{last} of {names.get(path, path)}@cls" for path in inner]
        return (*tokens, f"{last}@cls", *([f"{last}@avg"] if self.patches else []))

    def transformer(self, postprocess: Transformer, widths: Mapping[str, int]) -> Transformer:
        """Return a transform of each part by `postprocess`."""
        return by_part([postprocess] * len(widths), list(widths.values()))


def _trunk(paths: Sequence[str], name: str) -> tuple[str, int, str]:
    """Return the path of blocks without their number, the number of the last one, and the norm that follows them.

    The blocks are those of the longest numbered sequence of modules.
    """
    numbers: dict[str, set[int]] = {}
    for match in filter(None, map(NUMBERED.fullmatch, paths)):
        numbers.setdefault(match[1], set()).add(int(match[2]))
    stem = max(numbers, key=lambda one: max(numbers[one]), default="")
    if stem:
        last = max(numbers[stem])
        after = paths[paths.index(f"{stem}{last}") + 1 :]
        norm = next((path for path in after if _is_beside(path, stem) and NORM.fullmatch(path.rpartition(".")[2])), "")
        if norm:
            return stem, last, norm
    raise BackboneError(
        f"layer_fusion=dinov2 needs numbered blocks and a norm after them, which {name} does not have. Name the "
        "layers: layer=[A@cls,A@avg] layer_fusion=concat"
    )


def _is_beside(path: str, stem: str) -> bool:
    """Return whether a module is next to the blocks' container, or next to a module around it."""
    parent = path.rpartition(".")[0]
    return not path.startswith(stem) and (not parent or stem.startswith(f"{parent}."))
