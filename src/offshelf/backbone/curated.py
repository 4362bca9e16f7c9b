"""Layer names for architectures that bring none: one per depth, from the architecture itself, built without weights."""

from collections.abc import Callable

from torch import nn

from offshelf.backbone.head import heads
from offshelf.backbone.network import INPUT, TappedNetwork
from offshelf.backbone.seeded import seeded

TRUNK = 0.8
"""A module that holds more than this share of the parameters is looked into."""


def curate(build: Callable[[], nn.Module], size: int) -> dict[str, str]:
    """Curated names and their module paths, from input to output; the last is what the classifier sees.

    timm's models say which modules end a stage (`feature_info`); for others the modules of the top level are taken,
    looking into those that hold nearly all parameters. Modules that a pass of a `size` x `size` image does not reach
    (auxiliary classifiers) are left out.
    """
    module = _outline(build)
    classifier = next(iter(heads(module)), "")
    stages = _stages(module) or _depths(module, classifier)
    layers = {path: path for path in stages}
    if classifier and not any(classifier.startswith(f"{path}.") for path in stages):
        layers["pre_logits"] = INPUT + classifier
    network = TappedNetwork(module, layers, "")
    try:
        reached = [info.name for info in network.listing(size)]
    except (RuntimeError, NotImplementedError):  # an operation that needs values, not shapes alone
        return layers
    return {name: layers[name] for name in reached if name in layers}


def _outline(build: Callable[[], nn.Module]) -> nn.Module:
    """The architecture without values, on the meta device."""
    import torch

    try:
        with torch.device("meta"):
            return build()
    except Exception:  # RegNet, for one, reads values while it is built; a true fault shows again
        with seeded(0):
            return build().to("meta")


def _stages(module: nn.Module) -> list[str]:
    """Ends of stages as timm has them; none where they are containers, which are never called themselves."""
    info = getattr(module, "feature_info", None)
    entries = info if isinstance(info, list) else getattr(info, "info", []) or []
    known = dict(module.named_modules())
    paths = [entry["module"] for entry in entries if entry.get("module") in known]
    return [] if any(isinstance(known[path], nn.ModuleList | nn.ModuleDict) for path in paths) else paths


def _depths(module: nn.Module, classifier: str) -> list[str]:
    level = [path for path, part in module.named_children() if _size(part)]
    while True:
        total = sum(_size(module.get_submodule(path)) for path in level if not classifier.startswith(path))
        large = next((path for path in level if _is_trunk(module, path, classifier, total)), None)
        if large is None:
            return [path for path in level if classifier != path and not classifier.startswith(f"{path}.")]
        inner = [f"{large}.{name}" for name, part in module.get_submodule(large).named_children() if _size(part)]
        where = level.index(large)
        level[where : where + 1] = inner


def _is_trunk(module: nn.Module, path: str, classifier: str, total: int) -> bool:
    part = module.get_submodule(path)
    inner = [child for child in part.children() if _size(child)]
    if isinstance(part, nn.ModuleList | nn.ModuleDict):  # never called itself
        return bool(inner) and not classifier.startswith(f"{path}.")
    return len(inner) > 1 and not classifier.startswith(path) and _size(part) > TRUNK * total


def _size(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
