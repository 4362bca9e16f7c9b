"""Places in a network whose outputs can be read, and the hooks that read them during a pass."""

import inspect
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from offshelf.backbone.layer import OF

INPUT = "input of "
"""Prefix of a module path that stands for the module's input: `input of fc`."""
HEAD = "forward_head(pre_logits=True)"
"""Output of timm's own method: the features that the network's authors pass to a classifier."""
TRUNK = "forward_features()"
"""The same for a network without a head."""

Tap = Callable[[str, torch.Tensor], None]


@dataclass(frozen=True)
class Place:
    """The place of a layer in a network."""

    path: str
    """Path of the module; HEAD and TRUNK are methods of the whole network."""
    number: int | None = None
    """Number of the tensor among those that the module gives in a pass, from 1; None: the only one."""
    is_input: bool = False
    through: str = ""
    """Path of a module that the tensor is passed through; empty: none."""

    @property
    def is_method(self) -> bool:
        """Whether it is one of the network's own methods."""
        return self.path in (HEAD, TRUNK)


def places(module: nn.Module) -> dict[str, Place]:
    """Return every module's place by its path.

    A module at several positions of one nn.Sequential, which calls them in order, is listed at each of them. Otherwise
    the first of several names counts.
    """
    names: dict[int, list[str]] = {}
    for path, part in module.named_modules(remove_duplicate=False):
        if path:
            names.setdefault(id(part), []).append(path)
    found = {}
    for paths in names.values():
        parents = {path.rpartition(".")[0] for path in paths}
        if len(paths) > 1 and len(parents) == 1 and isinstance(module.get_submodule(parents.pop()), nn.Sequential):
            found.update({path: Place(path, number + 1) for number, path in enumerate(paths)})
        else:
            found[paths[0]] = Place(paths[0])
    return found


def find_place(module: nn.Module, known: Mapping[str, Place], text: str) -> Place | None:
    """Return the place that a text stands for, or None.

    It is `blocks.3`, `relu:2`, `input of fc`, `norm of blocks.3`, HEAD or TRUNK.
    """
    if text in (HEAD, TRUNK):
        return Place(text) if callable(getattr(module, text.partition("(")[0], None)) else None
    outer, of, inner = text.partition(OF)
    if of and not text.startswith(INPUT):
        place = find_place(module, known, inner)
        return replace(place, through=outer) if place and outer in known else None
    path, is_input = text.removeprefix(INPUT), text.startswith(INPUT)
    stem, _, number = path.rpartition(":")
    if path not in known and stem in known and number.isdecimal():
        return replace(known[stem], number=int(number), is_input=is_input)
    return replace(known[path], is_input=is_input) if path in known else None


def can_split(module: nn.Module) -> bool:
    """Return whether it is a timm model whose head can return features before it classifies them."""
    head = getattr(module, "forward_head", None)
    is_timm = hasattr(module, "pretrained_cfg") and callable(getattr(module, "forward_features", None))
    return is_timm and callable(head) and "pre_logits" in inspect.signature(head).parameters


def tensors(part: nn.Module | None, output: Any) -> list[torch.Tensor]:
    """Return the tensors of a module's output: one, or several maps, such as those of HRNet's branches.

    Of a mapping (`last_hidden_state` in transformers) and of a tuple whose tensors are of different kinds (tokens, and
    their state or weights) only the first counts.
    """
    if isinstance(output, torch.Tensor):
        return [output] if output.ndim else []
    is_list = isinstance(output, list | tuple)
    items = output.values() if isinstance(output, Mapping) else output if is_list else ()
    found = [item for item in items if isinstance(item, torch.Tensor) and item.ndim]
    maps = len(found) > 1 and is_list and all(item.ndim == found[0].ndim >= 3 for item in found)
    if maps and not isinstance(part, nn.MultiheadAttention | nn.RNNBase):
        return found
    return found[:1]


class Taps:
    """Hooks at places of a network during a pass: `tap` is called with each tensor, in the order of the pass."""

    def __init__(self, module: nn.Module, places: Mapping[str, Place], tap: Tap) -> None:
        self.module, self.places, self.tap = module, places, tap
        self.given: Counter[str] = Counter()
        self.kinds: dict[str, str] = {}
        self.is_paused = False
        self._handles: list[Any] = []
        self._methods: list[str] = []

    def __enter__(self) -> "Taps":
        for layer, place in self.places.items():
            if place.is_method:
                self._wrap(layer, place.path)
                continue
            part = self.module.get_submodule(place.path)
            if place.is_input:
                handle = part.register_forward_pre_hook(self._before(layer), with_kwargs=True)
            else:
                handle = part.register_forward_hook(self._after(layer))
            self._handles.append(handle)
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()
        for method in self._methods:
            delattr(self.module, method)
        self._handles, self._methods = [], []

    def _before(self, layer: str) -> Callable[..., None]:
        def hook(part: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            self._see(layer, None, args[0] if args else next(iter(kwargs.values()), None))

        return hook

    def _after(self, layer: str) -> Callable[..., None]:
        def hook(part: nn.Module, _: Any, output: Any) -> None:
            self._see(layer, part, output)

        return hook

    def _see(self, layer: str, part: nn.Module | None, output: Any) -> None:
        if self.is_paused:
            return
        self.kinds[layer] = type(output).__name__
        number = self.places[layer].number
        for tensor in tensors(part, output):
            self.given[layer] += 1
            if number in (None, self.given[layer]):
                self.tap(layer, self._through(layer, tensor))

    def _through(self, layer: str, tensor: torch.Tensor) -> torch.Tensor:
        path = self.places[layer].through
        if not path:
            return tensor
        with self._paused():
            passed: torch.Tensor = self.module.get_submodule(path)(tensor)
        return passed

    def _wrap(self, layer: str, path: str) -> None:
        """Replace a method of the network by one that also passes on its output; the result is unchanged."""
        method = path.partition("(")[0]
        own = getattr(self.module, method)

        def wrapped(values: Any, *args: Any, **kwargs: Any) -> Any:
            if path == TRUNK:
                output = own(values, *args, **kwargs)
                self._see(layer, None, output)
                return output
            with self._paused():  # the head's modules are called again below
                output = own(values, pre_logits=True)
            self._see(layer, None, output)
            return own(values, *args, **kwargs)

        setattr(self.module, method, wrapped)
        self._methods.append(method)

    @contextmanager
    def _paused(self) -> Iterator[None]:
        self.is_paused = True
        try:
            yield
        finally:
            self.is_paused = False
