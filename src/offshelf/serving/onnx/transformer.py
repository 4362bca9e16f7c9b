"""Fitted transforms of features as torch modules, in float32."""

from typing import Any

import numpy as np
import torch
from torch import nn

from offshelf.errors import ModelError
from offshelf.postprocess import Transformer


def as_module(transformer: Transformer) -> nn.Module:
    """Return a fitted transformer of rows [R, D] as a module of [..., D].

    Raises:
        ModelError: The transformer, or a step of it, does not belong to offshelf's `postprocess` options.
    """
    steps = [step for _, step in getattr(transformer, "steps", [("", transformer)]) if step != "passthrough"]
    return nn.Sequential(*map(_step, steps))


def tensor(values: Any) -> torch.Tensor:
    """Convert an array to float32."""
    return torch.from_numpy(np.array(values, np.float32))


def _step(step: Any) -> nn.Module:
    from sklearn.preprocessing import FunctionTransformer, Normalizer, StandardScaler

    from offshelf.postprocess import ByPart, Projection, SignedPower

    if isinstance(step, FunctionTransformer) and step.func is None:
        return nn.Identity()
    if isinstance(step, Normalizer):
        return _UnitNorm(step.norm)
    if isinstance(step, StandardScaler):
        return _Standardize(mean=step.mean_ if step.with_mean else 0.0, scale=step.scale_ if step.with_std else 1.0)
    if isinstance(step, Projection):
        return _Project(mean=step.mean_, components=step.components_)
    if isinstance(step, SignedPower):
        return _SignedPower(step.power)
    if isinstance(step, ByPart):
        return _ByPart(step)
    raise ModelError(
        f"The transform {type(step).__name__} cannot be exported to ONNX; offshelf's own can: postprocess=none, l2, "
        "l2_power, pca, pca_whiten or standardize, with steps in any order. `offshelf export RUN DIR` supports any."
    )


class Constants(nn.Module):
    """A module with constant arrays, float32, under the names of the arguments."""

    def __init__(self, **arrays: Any) -> None:
        super().__init__()
        for name, values in arrays.items():
            self.register_buffer(name, tensor(values))


class _ByPart(nn.Module):
    """The module of ByPart."""

    def __init__(self, fitted: Any) -> None:
        super().__init__()
        self.widths = list(fitted.widths)
        self.parts = nn.ModuleList(map(as_module, fitted.transformers_))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        pairs = zip(self.parts, values.split(self.widths, -1), strict=True)
        return torch.cat([part(own) for part, own in pairs], -1)


class _UnitNorm(nn.Module):
    """scikit-learn's Normalizer, which leaves rows of zeros unchanged."""

    def __init__(self, norm: str) -> None:
        super().__init__()
        self.order = {"l1": 1.0, "l2": 2.0, "max": float("inf")}[norm]

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        norm = torch.linalg.vector_norm(values, self.order, dim=-1, keepdim=True)
        return values / torch.where(norm == 0, torch.ones_like(norm), norm)


class _Standardize(Constants):
    mean: torch.Tensor
    scale: torch.Tensor

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return (values - self.mean) / self.scale


class _Project(Constants):
    mean: torch.Tensor
    components: torch.Tensor

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return (values - self.mean) @ self.components.T


class _SignedPower(nn.Module):
    def __init__(self, power: float) -> None:
        super().__init__()
        self.power = power

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return values.sign() * values.abs() ** self.power
