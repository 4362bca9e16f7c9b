"""Architectures without values, on the meta device, where a pass costs no arithmetic and no memory."""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from offshelf.backbone.seeded import seeded

Size = tuple[int, int]
"""Height and width of an image, in pixels."""


def outline(build: Callable[[], nn.Module]) -> nn.Module:
    """Call `build` on the meta device, so that parameters have no values."""
    try:
        with torch.device("meta"):
            return build()
    except Exception:  # RegNet, for example, reads values while it is built; real faults show again
        with seeded(0):
            return build().to("meta")


def outline_of(module: nn.Module) -> nn.Module:
    """Return a copy of a network without its values."""
    values = [*module.parameters(), *module.buffers()]
    memo: dict[int, Any] = {id(value): _without_values(value) for value in values}
    return copy.deepcopy(module, memo)


def run(module: nn.Module, images: int, size: Size) -> None:
    """Run a pass of black images. Raises any error of the network at this size, or where it needs values."""
    device = next((value.device for value in module.parameters()), torch.device("cpu"))
    if device.type != "meta":
        with torch.no_grad():
            module(torch.zeros(images, 3, *size, device=device))
        return
    with torch.no_grad(), torch.device("meta"):
        module(torch.zeros(images, 3, *size))


def _without_values(value: torch.Tensor) -> torch.Tensor:
    bare = torch.empty_like(value, device="meta")
    return nn.Parameter(bare, requires_grad=False) if isinstance(value, nn.Parameter) else bare
