"""Weights from files: read as tensors only, never executed, and identified by their bytes."""

import logging
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offshelf.errors import BackboneError
from offshelf.identity import file_digest

if TYPE_CHECKING:
    import torch
    from torch import nn

log = logging.getLogger(__name__)

WRAPPERS = ("state_dict", "model", "model_state_dict", "teacher", "student")
PREFIXES = ("module.", "model.", "backbone.", "encoder.")


def weights_digest(path: Path) -> str:
    """SHA-256 of a weights file. Raises BackboneError where there is none."""
    try:
        stat = path.stat()
        return _digest(path, stat.st_size, stat.st_mtime_ns)
    except OSError as error:
        raise BackboneError(f"The weights file {path} cannot be read: {error.strerror}.") from error


@lru_cache
def _digest(path: Path, size: int, mtime: int) -> str:
    return file_digest(path)


def read_tensors(path: Path) -> dict[str, "torch.Tensor"]:
    """The state dict in a .safetensors file or a PyTorch checkpoint, unwrapped.

    Raises:
        BackboneError: the file is missing, damaged, holds no tensors, or would execute code.
    """
    import pickle

    import torch

    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise BackboneError(
            f"{path} is no plain state dict: it is damaged, or holds objects that would be executed on loading. "
            "Save tensors only: torch.save(model.state_dict(), path)"
        ) from error
    except Exception as error:
        raise BackboneError(f"The weights file {path} cannot be read: {error}") from error
    return _unwrap(content, path)


def load_tensors(module: "nn.Module", tensors: Mapping[str, "torch.Tensor"], path: Path) -> None:
    """Load by name; a classifier that is missing or of another size stays random, anything else must fit.

    Raises:
        BackboneError: names or shapes do not fit, with examples.
    """
    from offshelf.backbone.head import heads

    own = module.state_dict()
    head = {f"{path}.{name}" for path in heads(module) for name in module.get_submodule(path).state_dict()}
    kept = {
        name: value
        for name, value in _strip(tensors, own).items()
        if name not in head or (name in own and own[name].shape == value.shape)
    }
    missing = [name for name in own if name not in kept and name not in head and "num_batches_tracked" not in name]
    surplus = [name for name in kept if name not in own]
    misfits = [name for name in kept if name in own and own[name].shape != kept[name].shape]
    if missing or surplus or misfits:
        faults = (("missing", missing), ("unknown", surplus), ("of another shape", misfits))
        told = "; ".join(f"{len(names)} {what} ({', '.join(names[:3])})" for what, names in faults if names)
        raise BackboneError(f"The weights in {path} do not fit the architecture: {told}.")
    if not head <= kept.keys():
        log.warning("%s has no classifier that fits; do not use the layer %s.", path, " or ".join(heads(module)))
    module.load_state_dict(kept, strict=False)


def _unwrap(content: Any, path: Path) -> dict[str, "torch.Tensor"]:
    import torch

    for wrapper in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
    if not isinstance(content, Mapping) or not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise BackboneError(f"{path} holds no state dict: a mapping of names to tensors was expected.")
    return dict(content)


def _strip(tensors: Mapping[str, "torch.Tensor"], own: Mapping[str, Any]) -> dict[str, "torch.Tensor"]:
    """Without the prefix that wrappers such as DataParallel put before every name."""
    named = dict(tensors)
    for prefix in PREFIXES:
        if not own.keys() & named.keys() and all(name.startswith(prefix) for name in named):
            named = {name.removeprefix(prefix): value for name, value in named.items()}
    return named
