"""Layer names for architectures without curated ones: one per depth, found in the architecture without weights."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from torch import nn

from offshelf.backbone.head import heads, last_layers
from offshelf.backbone.operations import gives_features
from offshelf.backbone.outline import Size, outline
from offshelf.backbone.probe import Shape, survey
from offshelf.backbone.seeded import seeded
from offshelf.backbone.tap import HEAD, INPUT, TRUNK, can_split

SHARE = 0.8
"""A module with more than this share of the parameters is split into its parts."""


@dataclass(frozen=True)
class Curated:
    """The layers of an architecture."""

    layers: dict[str, str]
    """Names and module paths, from input to output; the last is the input of the classifier."""
    modules: tuple[str, ...]
    """Paths of all modules."""


def curate(build: Callable[[], nn.Module], size: Size) -> Curated:
    """Find the layers of an architecture, for images of a height and width.

    timm's models declare which modules end a stage (`feature_info`), and have a defined input of the classifier. For
    other networks the top-level modules are taken, and those that hold nearly all parameters are split; the last layer
    is the input of the linear module that makes the network's output. Layers are in the order of a pass. Modules that a
    pass does not reach (auxiliary classifiers), or that do not give one row per image, are left out.

    Raises:
        Exception: Any error of the network at this size.
    """
    module = outline(build)
    module.eval()  # may return nothing in users' networks
    ends = _ends(module, size)
    stages = _stages(module) or _depths(module, heads(module, size))
    layers = {path: path for path in stages} | ends
    modules = tuple(path for path, _ in module.named_modules() if path)
    rows = _survey(module, build, size, layers.values())
    return Curated(_named(layers, rows), modules)


def _survey(module: nn.Module, build: Callable[[], nn.Module], size: Size, paths: Iterable[str]) -> dict[str, Shape]:
    """Survey the outline; if shapes alone do not suffice for a pass, use random values."""
    try:
        return survey(module, size, paths)
    except Exception:  # networks raise all kinds of errors
        with seeded(0):
            network = build()
            network.eval()
    return survey(network, size, paths)


def _named(layers: Mapping[str, str], rows: Iterable[str]) -> dict[str, str]:
    """Return layers in the order of rows; a module with several outputs becomes several layers."""
    names = {path: name for name, path in layers.items()}
    found = {}
    for row in rows:
        path, colon, number = row.rpartition(":")
        if row in names:
            found[names[row]] = row
        elif colon and path in names:
            found[f"{names[path]}:{number}"] = row
    return found


def _ends(module: nn.Module, size: Size) -> dict[str, str]:
    """Return name and path of the layer before the classifier; empty if that is the last of the stages."""
    if can_split(module):
        return _end_of_timm(module, size)
    try:
        last = last_layers(module, size)
    except Exception:  # an operation that needs values, not shapes alone
        paths = heads(module, size)
        return {"pre_logits": INPUT + paths[0]} if len(paths) == 1 else {}
    if not last or any(other.seen != last[0].seen for other in last):  # several inputs: none is the feature
        return {}
    return {"pre_logits": INPUT + last[0].path}


def _end_of_timm(module: nn.Module, size: Size) -> dict[str, str]:
    """Return the classifier's input if it equals the output of timm's own head, else the output of the head."""
    paths = heads(module, size)
    try:
        if gives_features(module, paths[0] if len(paths) == 1 else "", size):
            return {"pre_logits": INPUT + paths[0]}
    except NotImplementedError:  # an encoder without a classifier
        return {"features": TRUNK}
    except Exception:  # an operation that needs values, not shapes alone
        return {"pre_logits": HEAD}
    return {"pre_logits": HEAD}


def _stages(module: nn.Module) -> list[str]:
    """Return timm's ends of stages; none if they are containers, which are never called themselves."""
    info = getattr(module, "feature_info", None)
    entries = info if isinstance(info, list) else getattr(info, "info", []) or []
    known = dict(module.named_modules())
    paths = [entry["module"] for entry in entries if entry.get("module") and entry["module"] in known]
    return [] if any(isinstance(known[path], nn.ModuleList | nn.ModuleDict) for path in paths) else paths


def _depths(module: nn.Module, classifiers: Sequence[str]) -> list[str]:
    level = [path for path, part in module.named_children() if _size(part)]
    while True:
        total = sum(_size(module.get_submodule(path)) for path in level if not _holds(path, classifiers))
        large = next((path for path in level if _is_trunk(module, path, classifiers, total)), None)
        if large is None:
            return [path for path in level if not _holds(path, classifiers)]
        inner = [f"{large}.{name}" for name, part in module.get_submodule(large).named_children() if _size(part)]
        where = level.index(large)
        level[where : where + 1] = inner


def _is_trunk(module: nn.Module, path: str, classifiers: Sequence[str], total: int) -> bool:
    part = module.get_submodule(path)
    inner = [child for child in part.children() if _size(child)]
    if isinstance(part, nn.ModuleList | nn.ModuleDict):  # never called itself
        return bool(inner) and not _holds(path, classifiers)
    return len(inner) > 1 and not _holds(path, classifiers) and _size(part) > SHARE * total


def _holds(path: str, classifiers: Sequence[str]) -> bool:
    """Return whether a module is one of the classifiers, or contains one."""
    return any(f"{classifier}.".startswith(f"{path}.") for classifier in classifiers)


def _size(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
