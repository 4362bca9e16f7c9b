"""The classifier modules of a network."""

from torch import nn

from offshelf.backbone.operations import Last, last_modules
from offshelf.backbone.outline import Size, outline_of

HEADS = ("classifier", "fc", "head", "heads")
"""Names under which a convolution is also a classifier, as in SqueezeNet."""
SIZE = (224, 224)


def heads(module: nn.Module, size: Size = SIZE) -> list[str]:
    """Return the paths of modules that make class scores: those that timm names, else linear ones that give the output.

    The result is empty for a network without a classifier, such as DINOv2. If a network cannot run without values at
    this size, it is the last registered linear module, or a module with a classifier's name.
    """
    known = dict(module.named_modules())
    if hasattr(module, "pretrained_cfg"):
        config = module.pretrained_cfg
        named = config.get("classifier") if isinstance(config, dict) else None
        return [path for path in ([named] if isinstance(named, str) else named or ()) if path in known]
    try:
        return list(dict.fromkeys(last.path for last in last_layers(outline_of(module), size)))
    except Exception:  # networks raise all kinds of errors
        return _registered_last(module)


def last_layers(module: nn.Module, size: Size) -> list[Last]:
    """Return the classifiers of an outline in the order of a pass, with their inputs. Raises any error of the pass."""
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
