"""Any torch module as a network whose layers can be tapped in one forward pass."""

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from offshelf.backbone.backbone import LayerInfo
from offshelf.backbone.layer import unknown_layer
from offshelf.backbone.pooling import pool
from offshelf.errors import BackboneError

INPUT = "input of "
"""Prefix of a module path that stands for what goes into the module: `input of fc`."""


class TappedNetwork(nn.Module):
    """A module in evaluation mode, with hooks that pool what passes.

    The hook pools and copies at once: a later in-place operation (a ReLU, say) would otherwise change what was tapped,
    so that a layer asked alone and asked with others would differ. In-place activations are switched off as well.
    A module called several times in a pass counts with its last call. The pass ends after the last wanted layer, unless
    the whole is asked for, as recorders of graphs need it.
    """

    def __init__(self, module: nn.Module, layers: Mapping[str, str], name: str) -> None:
        """`layers` maps curated names to module paths; `name` is for messages."""
        super().__init__()
        self.module = module.eval().requires_grad_(False)
        self.layers = dict(layers)
        self.name = name
        self.class_token, self.prefix = _tokens(module)
        self._courses: dict[tuple[str, ...], _Course] = {}
        for part in module.modules():
            if isinstance(getattr(part, "inplace", None), bool):
                part.inplace = False  # type: ignore[assignment]

    def features(
        self, images: torch.Tensor, layers: Sequence[str], pooling: str, whole: bool = False
    ) -> dict[str, torch.Tensor]:
        """See Network.

        Raises:
            BackboneError: a layer is not there, is not reached, or gives no rows for images; or the pooling does not
                fit.
        """
        parts = self._parts(layers)
        course = self._course(parts, images[:1].clone())  # a network may write into its input
        found: dict[str, torch.Tensor] = {}
        calls = 0

        def tap(layer: str, output: Any) -> None:
            nonlocal calls
            calls += 1
            tensor = _tensor(output, layer, self.name).movedim(course.axes[layer], 0)
            if tensor.shape[0] != images.shape[0]:  # a symbol, where a graph is recorded for any number
                raise _no_rows(layer, self.name, output, len(images))
            found[layer] = pool(tensor, pooling, self.prefix, self.class_token)
            if calls == course.calls and not whole:
                raise _Seen

        with torch.no_grad(), _Taps(parts, tap), contextlib.suppress(_Seen):
            self.module(images)
        return {layer: found[layer] for layer in layers}

    def _course(self, parts: Mapping[str, tuple[nn.Module, bool]], image: torch.Tensor) -> "_Course":
        """How a pass goes by the parts, from a pass of one image (a copy, for networks that change their input)."""
        key = tuple(parts)
        if key not in self._courses:
            axes: dict[str, int] = {}
            calls = 0

            def note(layer: str, output: Any) -> None:
                nonlocal calls
                calls += 1
                shape = _tensor(output, layer, self.name).shape
                if shape[0] != 1 and not (len(shape) == 3 and shape[1] == 1):
                    raise _no_rows(layer, self.name, output, 1)
                axes[layer] = int(shape[0] != 1)  # tokens are [N, T, C], in some networks [T, N, C]

            with torch.no_grad(), _Taps(parts, note):
                self.module(image)
            for layer in parts:
                if layer not in axes:
                    raise BackboneError(f"Layer '{layer}' of {self.name} is not reached in a forward pass.")
            self._courses[key] = _Course(calls, axes)
        return self._courses[key]

    def listing(self, size: int) -> list[LayerInfo]:
        """Curated layers in the order of a pass, then all modules, with shapes for one image of `size` x `size`."""
        shapes: dict[str, tuple[int, ...]] = {}
        parts = {path: part for path, part in self.module.named_modules() if path}
        inputs = {path: self._part(path) for path in self.layers.values() if path.startswith(INPUT)}

        def note(path: str, output: Any) -> None:
            tensor = _first_tensor(output)
            if tensor is not None:
                shapes[path] = tuple(tensor.shape[1:])

        taps = {path: (part, False) for path, part in parts.items()} | {path: part for path, part in inputs.items()}
        device = next(self.module.parameters(), torch.zeros(0)).device
        with torch.inference_mode(), _Taps(taps, note):
            self.module(torch.zeros(1, 3, size, size, device=device))
        order = list(shapes)  # of the pass
        curated = [LayerInfo(name, path, shapes[path]) for name, path in self.layers.items() if path in shapes]
        curated.sort(key=lambda info: order.index(info.module))
        names = {info.name for info in curated}
        return curated + [LayerInfo(path, path, shape) for path, shape in shapes.items() if path not in names]

    def _parts(self, layers: Sequence[str]) -> dict[str, tuple[nn.Module, bool]]:
        known = dict(self.module.named_modules())
        for layer in layers:
            if self.layers.get(layer, layer).removeprefix(INPUT) not in known:
                raise unknown_layer(layer, list(self.layers), self.name, [path for path in known if path])
        return {layer: self._part(self.layers.get(layer, layer)) for layer in layers}

    def _part(self, path: str) -> tuple[nn.Module, bool]:
        return self.module.get_submodule(path.removeprefix(INPUT)), path.startswith(INPUT)


@dataclass(frozen=True)
class _Course:
    """How often the wanted layers are called in a pass, and the axis of images in the output of each."""

    calls: int
    axes: Mapping[str, int]


class _Seen(Exception):  # noqa: N818 - a signal, no error
    """Every wanted layer has been seen."""


class _Taps:
    """Hooks on parts of a module, each (module, whether its input is meant), while a pass runs."""

    def __init__(self, parts: Mapping[str, tuple[nn.Module, bool]], tap: Any) -> None:
        self.parts, self.tap = parts, tap
        self.handles: list[Any] = []

    def __enter__(self) -> None:
        for name, (part, is_input) in self.parts.items():
            if is_input:
                hook = part.register_forward_pre_hook(lambda _, inputs, name=name: self.tap(name, inputs))
            else:
                hook = part.register_forward_hook(lambda _, __, output, name=name: self.tap(name, output))
            self.handles.append(hook)

    def __exit__(self, *_: object) -> None:
        for handle in self.handles:
            handle.remove()


def _tensor(output: Any, layer: str, name: str) -> torch.Tensor:
    tensor = _first_tensor(output)
    if tensor is None:
        raise BackboneError(f"Layer '{layer}' of {name} gives a {type(output).__name__}, not a tensor.")
    return tensor


def _no_rows(layer: str, name: str, output: Any, images: int) -> BackboneError:
    shape = list(_tensor(output, layer, name).shape)
    return BackboneError(
        f"Layer '{layer}' of {name} gives {shape} for {images} image(s), not one row an image (windows, perhaps); "
        "ask for the module around it."
    )


def _first_tensor(output: Any) -> torch.Tensor | None:
    """The output itself, or the first tensor of a tuple, list or mapping (`last_hidden_state` in transformers)."""
    if isinstance(output, torch.Tensor):
        return output if output.ndim else None
    items = output.values() if isinstance(output, Mapping) else output if isinstance(output, tuple | list) else ()
    return next((item for item in items if isinstance(item, torch.Tensor) and item.ndim), None)


def _tokens(module: nn.Module) -> tuple[bool, int]:
    """Whether tokens start with a class token, and how many come before the patches."""
    names = {name.rpartition(".")[2] for name, _ in module.named_parameters()}
    has_class = not names.isdisjoint(("cls_token", "class_token", "class_embedding"))
    registers = getattr(module, "num_register_tokens", None) or 0
    prefix = getattr(module, "num_prefix_tokens", None)
    if not isinstance(prefix, int):
        prefix = int(has_class) + registers
    return has_class and prefix > 0, prefix
