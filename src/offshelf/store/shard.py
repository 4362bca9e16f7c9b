"""Shards: immutable files that hold the features of a chunk of images, all layers and views side by side.

A shard is one safetensors file: `images`, uint8 [n, 32], the images' digests, and for each feature key a tensor
float32 [n, D] named by the key's digest. Its name is the SHA-256 of its bytes. It is written under a temporary name,
synced and renamed, so it exists whole or not at all; nothing in it is ever executed.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from offshelf.errors import StoreError
from offshelf.store.key import FeatureKey

FORMAT = "1"
SUFFIX = ".safetensors"


@dataclass(frozen=True)
class Shard:
    """One shard on disk; opening it reads its header only."""

    path: Path

    @cached_property
    def keys(self) -> frozenset[str]:
        """Digests of the feature keys it holds."""
        with _open(self.path) as file:
            return frozenset(file.keys()) - {"images"}

    @cached_property
    def images(self) -> list[str]:
        """Digests of its images, by row."""
        return [row.tobytes().hex() for row in self.read("images")]

    def read(self, name: str) -> np.ndarray:
        """One tensor, by key digest, without reading the others."""
        with _open(self.path) as file:
            values: np.ndarray = file.get_tensor(name)
            return values

    def is_intact(self) -> bool:
        """Whether its bytes still are those that were written."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == self.path.stem


def write_shard(folder: Path, images: Sequence[str], features: Mapping[FeatureKey, np.ndarray]) -> Shard:
    """Write features, float32 [n, D_key] each, of n images as one shard in `folder`.

    Raises:
        StoreError: the disk is full, read-only or gone; nothing half-written stays behind.
    """
    from safetensors.numpy import save

    tensors: dict[str, np.ndarray] = {
        key.digest: np.ascontiguousarray(values, np.float32) for key, values in features.items()
    }
    tensors["images"] = np.frombuffer(bytes.fromhex("".join(images)), np.uint8).reshape(len(images), 32)
    layout = {key.digest: f"{key.module} {key.pooling} {key.view}" for key in features}
    # One entry: safetensors writes several in no fixed order, and the same features must give the same bytes.
    data = save(tensors, metadata={"offshelf": json.dumps({"format": FORMAT, "keys": layout}, sort_keys=True)})
    path = folder / (hashlib.sha256(data).hexdigest() + SUFFIX)
    temporary = folder / f".{path.stem}.{os.getpid()}.tmp"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise StoreError(
            f"Could not write {len(data) / 2**20:.1f} MiB of features to {folder}: {error.strerror}. Nothing is "
            "lost: free or choose another place with home=… or store.root=…, and the same command goes on from here."
        ) from error
    return Shard(path)


def _open(path: Path) -> Any:
    from safetensors import SafetensorError, safe_open

    try:
        return safe_open(path, framework="numpy")
    except (SafetensorError, OSError) as error:
        raise StoreError(
            f"{path} is no readable shard ({error}). Delete the file; its features will be extracted again."
        ) from error
