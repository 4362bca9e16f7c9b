"""Recording of a network's operations and their data flow, without values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from offshelf.backbone.outline import Size


@dataclass(frozen=True)
class Operation:
    """One call into PyTorch's library."""

    text: str
    """Operator and operands; values are named by `Operations.name`."""
    inputs: frozenset[int]
    """Input tensors, by `id`."""
    outputs: frozenset[int]


class Operations(TorchDispatchMode):
    """Records operations while active. Values that existed before are named by identity."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.log: list[Operation] = []
        self.made: dict[int, str] = {}
        self._alive: list[torch.Tensor] = []  # so that no `id` is reused

    def name(self, value: Any) -> Any:
        """Return a tensor's name: its position among the recorded results, or its identity. Other values stay as is."""
        return self.made.get(id(value), f"given {id(value)}") if isinstance(value, torch.Tensor) else value

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        text = f"{func} {tree_map(self.name, args)} {tree_map(self.name, kwargs)}"
        before = _tensors((args, kwargs))
        output = func(*args, **(kwargs or {}))
        after = _tensors(output)
        for tensor in after:
            if id(tensor) not in self.made:
                self._alive.append(tensor)
                self.made[id(tensor)] = f"made {len(self.made)}"
        self.log.append(Operation(text, frozenset(map(id, before)), frozenset(map(id, after))))
        return output


def gives_features(module: nn.Module, classifier: str, size: Size) -> bool:
    """Return whether the input of a module of a timm outline equals the output of timm's own head.

    Both must come from the same operations.

    Raises:
        Exception: Any error of the head; NotImplementedError if there is none.
    """
    own: Any = module.forward_head
    found: list[tuple[list[str], Any]] = []

    def note(_: nn.Module, args: tuple[Any, ...]) -> None:
        found.append(([operation.text for operation in whole.log], whole.name(args[0])))

    with torch.no_grad(), torch.device("meta"):
        values = module.forward_features(torch.zeros(1, 3, *size))  # type: ignore[operator]
        with Operations() as features:
            expected = own(values, pre_logits=True)
        handle = module.get_submodule(classifier).register_forward_pre_hook(note)
        with Operations() as whole:
            own(values)
        handle.remove()
    return found == [([operation.text for operation in features.log], features.name(expected))]


@dataclass(frozen=True)
class Last:
    """A module whose output is the network's output, except for operations without parameters."""

    path: str
    seen: int
    """Input of the module, by `id`."""


def last_modules(module: nn.Module, size: Size, kinds: Mapping[str, nn.Module]) -> list[Last]:
    """Return the modules that come last in an outline: only their output contributes to the network's output."""
    calls: list[tuple[str, int, int, int]] = []
    handles = []
    with torch.no_grad(), torch.device("meta"), Operations() as record:
        for path, part in kinds.items():

            def note(_: nn.Module, args: tuple[Any, ...], output: Any, path: str = path) -> None:
                calls.append((path, id(args[0]), id(output), len(record.log)))

            handles.append(part.register_forward_hook(note))
        images = torch.zeros(1, 3, *size)
        outputs = {id(tensor) for tensor in _tensors(module(images))}
    for handle in handles:
        handle.remove()
    live = _depending({id(images)}, record.log) | {id(parameter) for parameter in module.parameters()}
    live |= _depending({id(parameter) for parameter in module.parameters()}, record.log)
    return [
        Last(path, seen) for path, seen, output, start in calls if _flows(output, record.log[start:], live) & outputs
    ]


def _depending(values: set[int], log: Sequence[Operation]) -> set[int]:
    """Return these values, and all that are computed from them."""
    found = set(values)
    for operation in log:
        if operation.inputs & found:
            found |= operation.outputs
    return found


def _flows(output: int, log: Sequence[Operation], live: set[int]) -> set[int]:
    """Return the values computed from a value; empty if other values of the network contribute."""
    derived = {output}
    for operation in log:
        if operation.inputs & derived:
            if (operation.inputs - derived) & live:
                return set()
            derived |= operation.outputs
    return derived


def _tensors(values: Any) -> list[torch.Tensor]:
    return [leaf for leaf in tree_leaves(values) if isinstance(leaf, torch.Tensor)]
