"""Which modules of a network are its classifier."""

from torch import nn

from offshelf.backbone.operations import Last, last_modules
from offshelf.backbone.outline import Size, outline_of

HEADS = ("classifier", "fc", "head", "heads")
"""Names under which a convolution, too, is a classifier: SqueezeNet's."""
SIZE = (224, 224)


def heads(module: nn.Module, size: Size = SIZE) -> list[str]:
    """Paths of the modules that make class scores: as timm names them, else linear ones whose output is the network's.

    Empty for a network without a classifier, such as DINOv2. Of a network that cannot be looked at without values, at
    this size, the linear module that was registered last counts, or one that is called like a classifier.
    """
    known = dict(module.named_modules())
    if hasattr(module, "pretrained_cfg"):
        config = module.pretrained_cfg
        named = config.get("classifier") if isinstance(config, dict) else None
        return [path for path in ([named] if isinstance(named, str) else named or ()) if path in known]
    try:
        return list(dict.fromkeys(last.path for last in last_layers(outline_of(module), size)))
    except Exception:  # networks raise every kind of error
        return _registered_last(module)


def last_layers(module: nn.Module, size: Size) -> list[Last]:
    """The classifiers of an outline in the order of a pass, with what goes into each. Raises what it raises."""
    return last_modules(
        module, size, {path: part for path, part in module.named_modules() if _may_classify(path, part)}
    )


def _may_classify(path: str, part: nn.Module) -> bool:
    return isinstance(part, nn.Linear) or (isinstance(part, nn.Conv2d) and path.split(".")[0] in HEADS)


def _registered_last(module: nn.Module) -> list[str]:
    candidates = [path for path, part in module.named_modules() if path and _may_classify(path, part)]
    named = [path for path in candidates if path.split(".")[0] in HEADS]
    last = next((name.rpartition(".")[0] for name, _ in reversed(list(module.named_parameters()))), "")
    return named[-1:] or [path for path in candidates if path == last]
