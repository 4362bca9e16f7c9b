"""Preparation of the user's modules: float32, on the CPU, in evaluation mode."""

import logging
from collections import Counter
from functools import lru_cache
from types import MethodType
from typing import Any

import torch
from torch import nn
from torch.nn.modules.lazy import LazyModuleMixin

from offshelf.backbone.running import in_one_sentence
from offshelf.errors import BackboneError

log = logging.getLogger(__name__)


def usable(module: Any, name: str, side: int) -> nn.Module:
    """Return the module itself, in float32 and evaluation mode, with its lazy parameters drawn.

    Args:
        module: Result of the user's code.
        name: Name for messages.
        side: Side of the network's square images, in pixels.

    Raises:
        BackboneError: It is not a module whose layers can be accessed.
    """
    module = getattr(module, "_orig_mod", module)  # the module inside torch.compile's wrapper
    if isinstance(module, nn.DataParallel):
        module = module.module
    if isinstance(module, torch.jit.ScriptModule):
        raise BackboneError(
            f"{name} makes a TorchScript module, whose layers cannot be accessed; make the nn.Module itself, with the "
            "weights of its state_dict()."
        )
    if not isinstance(module, nn.Module):
        hint = " Name the class or function that makes it." if isinstance(module, type) else ""
        raise BackboneError(f"{name} makes a {type(module).__name__}; an nn.Module was expected.{hint}")
    _evaluate(module)
    if any(isinstance(part, LazyModuleMixin) and part.has_uninitialized_params() for part in module.modules()):
        device = next((each.device for each in _tensors(module)), torch.device("cpu"))
        with in_one_sentence(f"{name} has lazy layers, and its first pass failed"), torch.no_grad():
            module(torch.zeros(1, 3, side, side, device=device))
    others = Counter(str(each.dtype) for each in _tensors(module) if each.is_floating_point())
    others.pop("torch.float32", None)
    if others:
        _told(name, ", ".join(others))
        module.float()
    if all(each.device.type in ("cpu", "cuda") for each in _tensors(module)):
        module.cpu()
    return module


def require_values(module: nn.Module, name: str) -> None:
    """Reject a network that was made without values, on PyTorch's meta device. Raises BackboneError."""
    if any(each.is_meta for each in _tensors(module)):
        raise BackboneError(f"{name} makes a module on the meta device, which has no values yet; make it on the CPU.")


def _evaluate(module: nn.Module) -> None:
    """Set evaluation mode for every part, now and later, even if it overrides `train`."""
    for part in module.modules():
        if type(part).train is not nn.Module.train:
            part.train = MethodType(nn.Module.train, part)  # type: ignore[method-assign]
    module.eval()


@lru_cache
def _told(name: str, dtypes: str) -> None:
    log.warning("%s has values in %s; offshelf computes with them in torch.float32.", name, dtypes)


def _tensors(module: nn.Module) -> list[torch.Tensor]:
    return [*module.parameters(), *module.buffers()]
