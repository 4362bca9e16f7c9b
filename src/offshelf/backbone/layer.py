"""The selection of layers by names, lists, patterns, `all` and `last`.

A layer's name may be followed by a pooling of its own, `norm@avg`. `norm of block8` is the output of a module, passed
through another one: outputs of inner blocks of a vision transformer are normalised in this way, like that of the last.
"""

from collections.abc import Callable, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from offshelf.backbone.pooling import POOLINGS
from offshelf.errors import BackboneError
from offshelf.suggest import did_you_mean, nearest

if TYPE_CHECKING:
    from offshelf.backbone.backbone import Backbone

OF = " of "
"""Between a module, or the word `input`, and the module whose output, or input, it takes."""


def resolve_layers(backbone: "Backbone", asked: str | int | Sequence[str | int]) -> tuple[str, ...]:
    """Return the names of the layers of a backbone that are asked for; see `select_layers`.

    Raises:
        BackboneError: as `select_layers`.
    """
    return select_layers(asked, backbone.layer_names(), backbone.name, backbone.module_names)


def select_layers(
    asked: str | int | Sequence[str | int],
    curated: Sequence[str],
    name: str,
    modules: Callable[[], Sequence[str]] | None = None,
) -> tuple[str, ...]:
    """Return the requested layers without repeats; curated ones are in the order of the network.

    `all` selects the curated layers, `last` the last of them, and a name with `*` or `?` every curated layer it
    matches. Other names are curated ones or paths of `modules`, which is called only for the latter. If the modules are
    unknown, the loaded network checks the names. A number is the path of a module in a sequence. A pooling after `@`
    belongs to each of the layers that are selected.

    Raises:
        BackboneError: A pattern matches nothing, no layer is curated, a name looks like a misspelt curated one, or a
            pooling does not exist.
    """
    words = [str(word) for word in ([asked] if isinstance(asked, str | int) else asked)]
    if not words:
        raise BackboneError(f"No layer of {name} is requested; use layer=last, layer=all or a name.")
    chosen: dict[str, None] = {}
    for word in words:
        asked_for, pooling = split_pooling(word, "")
        suffix = f"@{pooling}" if pooling else ""
        chosen.update(dict.fromkeys(f"{layer}{suffix}" for layer in _matches(asked_for, curated, name)))
    names = {layer: split_pooling(layer, "")[0] for layer in chosen}
    others = [layer for layer in names.values() if layer not in curated]
    known = modules() if modules and others else ()
    for layer in others:
        if known and not is_there(layer, (*known, *curated)):
            raise unknown_layer(layer, curated, name, known)
    depth = {layer: number for number, layer in enumerate(curated)}
    return tuple(sorted(chosen, key=lambda layer: depth.get(names[layer], len(depth))))


def split_pooling(layer: str, pooling: str) -> tuple[str, str]:
    """Return a layer's name and its pooling: the one after `@`, or else the given one.

    Raises:
        BackboneError: There is no such pooling.
    """
    name, at, own = layer.rpartition("@")
    if at and own not in POOLINGS:
        raise BackboneError(f"The pooling of '{layer}', after the @, must be one of {', '.join(POOLINGS)}.")
    return (name, own) if at else (layer, pooling)


def place_of(backbone: "Backbone", layer: str, pooling: str) -> tuple[str, str]:
    """Return the place of a layer in a network, and its pooling; `pooling` is that of layers whose name has none."""
    name, own = split_pooling(layer, pooling)
    return resolved(name, backbone.module_of), own


def resolved(layer: str, module_of: Callable[[str], str]) -> str:
    """Return the place of a layer in a network; of `norm of block8`, both names are resolved by `module_of`."""
    place = module_of(layer)
    outer, of, inner = layer.partition(OF)
    if place == layer and of and outer != "input":
        return f"{module_of(outer)}{OF}{module_of(inner)}"
    return place


def unknown_layer(word: str, curated: Sequence[str], name: str, modules: Sequence[str] = ()) -> BackboneError:
    """Return the error for an unknown layer, with the nearest name, preferably a curated one, and all curated names."""
    near = nearest(word, curated) or nearest(word, modules)
    hint = did_you_mean(word, [near]) if near else "."
    return BackboneError(
        f"{name} has no layer '{word}'{hint} Its layers: {', '.join(curated or modules[:20])}. "
        "List every module with `offshelf layers` and the same backbone."
    )


def _matches(word: str, curated: Sequence[str], name: str) -> list[str]:
    if word in ("all", "last") and not curated:
        raise BackboneError(
            f"The architecture of {name} has no layers that layer={word} could stand for. Name its modules, as in "
            "layer=features.4 (list them with `offshelf layers` and the same backbone), or set backbone.layers."
        )
    if word == "all":
        return list(curated)
    if word == "last":
        return [curated[-1]]
    if any(letter in word for letter in "*?["):
        matches = [layer for layer in curated if fnmatchcase(layer, word)]
        if not matches:
            raise unknown_layer(word, curated, name)
        return matches
    if word not in curated and "." not in word and _is_misspelt(word, curated):
        raise unknown_layer(word, curated, name)
    return [word]


def is_there(layer: str, modules: Sequence[str]) -> bool:
    """Return whether a layer is a module, an output of one (`relu:2`), or in a module of unknown content (`b.*`)."""
    outer, of, inner = layer.partition(OF)
    if of and outer != "input":
        return is_there(outer, modules) and is_there(inner, modules)
    path = inner if of else layer
    stem, _, number = path.rpartition(":")
    inside = any(module.endswith(".*") and path.startswith(module[:-1]) for module in modules)
    return inside or path in modules or (stem in modules and number.isdecimal())


def _is_misspelt(word: str, curated: Sequence[str]) -> bool:
    """Return whether a word is so near a curated name that the network need not be built to look for it."""
    holds_layers = any(layer.startswith(f"{word}.") for layer in curated)
    return not holds_layers and bool(get_close_matches(word, curated, 1, cutoff=0.85))
