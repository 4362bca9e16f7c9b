"""Which modules of a network are its classifier."""

from torch import nn

HEADS = ("classifier", "fc", "head", "heads")
"""Names under which a convolution, too, is a classifier: SqueezeNet's."""


def heads(module: nn.Module) -> list[str]:
    """Paths of the modules that make class scores: as timm names them, else a linear one that comes last.

    Empty for a network without a classifier, such as DINOv2.
    """
    known = dict(module.named_modules())
    config = getattr(module, "pretrained_cfg", None)
    named = config.get("classifier") if isinstance(config, dict) else None
    paths = [named] if isinstance(named, str) else list(named or ())
    if paths and all(path in known for path in paths):
        return paths
    last = next((name.rpartition(".")[0] for name, _ in reversed(list(module.named_parameters()))), "")
    part = known[last]
    is_head = isinstance(part, nn.Linear) or (isinstance(part, nn.Conv2d) and last.split(".")[0] in HEADS)
    return [last] if last and is_head else []
