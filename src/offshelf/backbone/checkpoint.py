"""Loading of weights from files into networks, by name and shape, through the wrappers that trainers add."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offshelf.backbone.weights_file import no_state_dict, read_file
from offshelf.errors import BackboneError

if TYPE_CHECKING:
    import torch
    from torch import nn

log = logging.getLogger(__name__)

SEGMENTS = ("_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")
"""Parts of names that torch.compile, FSDP and activation checkpointing insert, at any position."""

DEPTH = 3
"""Depth to which nested mappings are searched."""

COUNTERS = ("num_batches_tracked",)
"""Tensors without effect in evaluation."""


@dataclass(frozen=True)
class _Target:
    """The tensors of a network that a file has to fit."""

    own: Mapping[str, "torch.Tensor"]
    head: frozenset[str]
    """Names of the classifier's tensors, which may be missing or have another size."""

    @cached_property
    def needed(self) -> frozenset[str]:
        """Return the names that a file must have."""
        return frozenset(name for name in self.own if name not in self.head and not name.endswith(COUNTERS))


@dataclass(frozen=True)
class _Candidate:
    """Tensors of a file that may be those of the network."""

    key: str
    prefix: str
    tensors: Mapping[str, "torch.Tensor"]
    """Tensors under the prefix, by their names without it."""
    beside: int
    """Number of tensors of the same mapping that are not under the prefix."""

    def faults(self, target: _Target) -> str:
        """Describe what does not fit; empty if everything fits."""
        own = target.own
        missing = [name for name in own if name in target.needed and name not in self.tensors]
        surplus = [
            name for name in self.tensors if name not in own and name not in target.head and name != "n_averaged"
        ]
        misfits = [
            f"{name}: {_shape(self.tensors[name])} for {_shape(own[name])}"
            for name in self.tensors
            if name in own and name not in target.head and self.tensors[name].shape != own[name].shape
        ]
        told = (("missing", missing), ("unknown", surplus), ("of another shape", misfits))
        return "; ".join(f"{len(names)} {what} ({', '.join(names[:3])})" for what, names in told if names)

    def covered(self, target: _Target) -> int:
        """Return the number of needed tensors that exist in the right shape."""
        own = target.own
        return sum(name in self.tensors and self.tensors[name].shape == own[name].shape for name in target.needed)


def load_weights(module: "nn.Module", path: Path, key: str | None = None, prefix: str | None = None) -> None:
    """Load a file's weights by name. A missing or differently sized classifier stays random; the rest must fit.

    Wrappers are removed if only one way of doing so fits: keys (`state_dict`, `model`, `teacher`) and prefixes
    (`module.`, `_orig_mod.`, `encoder_q.`).

    Args:
        module: The network.
        path: The file.
        key: Key of the tensors in the file, as in `state_dict_ema` or `model.state_dict`; None: found automatically.
        prefix: Prefix of the tensors' names, as in `module.encoder_q.`; None: found automatically.

    Raises:
        BackboneError: The file cannot be read, names or shapes do not fit, or several sets of weights fit.
    """
    content = read_file(path)
    found = state_dicts(content)
    if not found:
        raise BackboneError(no_state_dict(path, content))
    if key is not None:
        if key not in found:
            raise BackboneError(
                f"{path} has no state dict under backbone.checkpoint_key={key}; it has: {_listed(found)}."
            )
        found = {key: found[key]}
    target = _target(module)
    candidates = [each for name, tensors in found.items() for each in _candidates(name, tensors, target, prefix)]
    best = _choose(candidates, found, target, path, prefix)
    _told(best, path)
    load_tensors(module, best.tensors, path)


def chosen(key: str | None, prefix: str | None) -> dict[str, str | None]:
    """Return the given key and prefix for an identity, without those that are None."""
    return {} if key is None and prefix is None else {"checkpoint_key": key, "checkpoint_prefix": prefix}


def load_tensors(module: "nn.Module", tensors: Mapping[str, "torch.Tensor"], path: Path) -> None:
    """Load by exact names. A missing or differently sized classifier stays random; the rest must fit.

    Raises:
        BackboneError: Names or shapes do not fit; the message has examples.
    """
    from offshelf.backbone.head import heads

    target = _target(module)
    faults = _Candidate("", "", tensors, 0).faults(target)
    if faults:
        raise BackboneError(f"The weights in {path} do not fit the architecture: {faults}.")
    own = target.own
    kept = {name: value for name, value in tensors.items() if name in own and own[name].shape == value.shape}
    for name, value in kept.items():
        if value.is_quantized or (own[name].is_floating_point() and not value.is_floating_point()):
            raise BackboneError(
                f"The weights in {path} are quantised ({name} is {value.dtype}); floating-point weights are needed."
            )
    if not target.head <= kept.keys():
        log.warning("%s has no classifier that fits; do not use the layer %s.", path, " or ".join(heads(module)))
    module.load_state_dict(kept, strict=False)


def state_dicts(content: Any, where: str = "", depth: int = DEPTH) -> dict[str, dict[str, "torch.Tensor"]]:
    """Return the mappings of names to tensors in a file's content, by the keys that lead to them (`model.state_dict`).

    Mappings that also hold other things count too, with their tensors; those of optimizers do not count.
    """
    import torch

    if not isinstance(content, Mapping) or "param_groups" in content:
        return {}
    named = {str(name): value for name, value in content.items()}
    tensors = {name: value for name, value in named.items() if isinstance(value, torch.Tensor)}
    found = {where: tensors} if any(value.ndim for value in tensors.values()) else {}
    if depth:
        for name, value in named.items():
            found |= state_dicts(value, f"{where}.{name}" if where else name, depth - 1)
    return found


def read_tensors(path: Path) -> dict[str, Any]:
    """Return the only state dict of a file, by names, for networks that know how to map it.

    Raises:
        BackboneError: As for `read_file`, or the file holds no or several state dicts.
    """
    found = state_dicts(read_file(path))
    if len(found) != 1:
        raise BackboneError(
            f"{path} holds {', '.join(found)}: one state dict was expected." if found else no_state_dict(path)
        )
    return next(iter(found.values()))


def _target(module: "nn.Module") -> _Target:
    from offshelf.backbone.head import heads

    names = {f"{path}.{name}" for path in heads(module) for name in module.get_submodule(path).state_dict()}
    return _Target(module.state_dict(), frozenset(names))


def _candidates(
    key: str, tensors: Mapping[str, "torch.Tensor"], target: _Target, prefix: str | None
) -> list[_Candidate]:
    """Return one candidate for each prefix that leads to names of the network."""
    named = _without_segments(tensors, target.own)
    prefixes = [_without_segment(prefix)] if prefix is not None else _prefixes(named, target)
    found = []
    for one in prefixes:
        under = {name.removeprefix(one): value for name, value in named.items() if name.startswith(one)}
        if under:
            found.append(_Candidate(key, one, under, len(named) - len(under)))
    return found


def _prefixes(names: Iterable[str], target: _Target) -> list[str]:
    """Return the prefixes of the network's own names, the most frequent first; an empty one if there is none."""
    own = target.needed or target.own.keys()
    counts = {"": 0}
    tails: dict[str, list[str]] = {}
    for name in own:
        tails.setdefault(name.rpartition(".")[2], []).append(name)
    for name in names:
        for tail in tails.get(name.rpartition(".")[2], ()):
            before = name.removesuffix(tail)
            if before != name and (not before or before.endswith(".")):
                counts[before] = counts.get(before, 0) + 1
    return sorted(counts, key=lambda prefix: -counts[prefix])[:64]


def _choose(
    candidates: list[_Candidate], found: Mapping[str, Any], target: _Target, path: Path, prefix: str | None
) -> _Candidate:
    """Return the only candidate that fits; of several equal ones, the first."""
    fitting = [each for each in candidates if not each.faults(target)]
    if fitting:
        rivals = [each for each in fitting[1:] if not _are_equal(each, fitting[0])]
        if not rivals:
            return fitting[0]
        _ask([fitting[0], *rivals], path)
    best = max(candidates, key=lambda each: (each.covered(target), -len(each.prefix)), default=None)
    if best is None or not best.tensors.keys() & target.own.keys():
        begin = f" under backbone.checkpoint_prefix={prefix}" if prefix else ""
        names = [name for tensors in found.values() for name in tensors]
        raise BackboneError(
            f"The weights in {path} do not fit the architecture: no name matches the network's{begin}. The file has "
            f"{', '.join(names[:3])}, …; the network has {', '.join(list(target.own)[:3])}, …"
        )
    place = f", under {_place(best)}," if _place(best) else ""
    raise BackboneError(f"The weights in {path}{place} do not fit the architecture: {best.faults(target)}.")


def _ask(rivals: list[_Candidate], path: Path) -> None:
    keys = list(dict.fromkeys(each.key for each in rivals))
    if len(keys) > 1:
        option, values = "backbone.checkpoint_key", keys
    else:
        option, values = "backbone.checkpoint_prefix", list(dict.fromkeys(each.prefix for each in rivals))
    choices = " or ".join(f"{option}={value or chr(39) * 2}" for value in values)
    raise BackboneError(f"{path} holds {len(values)} different sets of weights that fit; choose one: {choices}")


def _told(chosen: _Candidate, path: Path) -> None:
    if _place(chosen):
        beside = f"; {chosen.beside} others are ignored" if chosen.beside else ""
        log.info("%s: loaded %d tensors under %s%s.", path, len(chosen.tensors), _place(chosen), beside)


def _place(candidate: _Candidate) -> str:
    parts = (("key", candidate.key), ("prefix", candidate.prefix))
    return " and ".join(f"the {what} '{value}'" for what, value in parts if value)


def _listed(found: Mapping[str, Any]) -> str:
    return ", ".join(name or "'' (the file itself)" for name in found)


def _are_equal(one: _Candidate, other: _Candidate) -> bool:
    import torch

    return one.tensors.keys() == other.tensors.keys() and all(
        value.shape == other.tensors[name].shape and torch.equal(value, other.tensors[name])
        for name, value in one.tensors.items()
    )


def _without_segments(tensors: Mapping[str, "torch.Tensor"], own: Mapping[str, Any]) -> Mapping[str, "torch.Tensor"]:
    if any(segment in name.split(".") for name in own for segment in SEGMENTS):
        return tensors
    return {_without_segment(name): value for name, value in tensors.items()}


def _without_segment(name: str) -> str:
    return ".".join(part for part in name.split(".") if part not in SEGMENTS)


def _shape(tensor: Any) -> str:
    return " x ".join(map(str, tensor.shape)) or "one number"
