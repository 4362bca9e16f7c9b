"""Shards: immutable files that hold the features of a chunk of images for all layers and views.

A shard is one safetensors file. It holds `images`, uint8 [n, 32], the images' digests, and for each feature key a
tensor float32 [n, D] named by the key's digest. Its name is the SHA-256 of its bytes. It is written under a temporary
name, synced and renamed, so it exists whole or not at all; nothing in it is ever executed.

The header holds each tensor's XXH3 checksum, which is compared on every read: at some 50 GB/s that costs little
compared with reading, and a flipped bit never becomes a number.
"""

import contextlib
import hashlib
import io
import json
import os
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from xxhash import xxh3_64_hexdigest

from offshelf.errors import StoreError
from offshelf.releases import UNKNOWN, releases
from offshelf.store.key import FeatureKey

FORMAT = 2
BEGIN = 4096
"""Bytes of the first read: enough for a header of a few layers and views."""
SUFFIX = ".safetensors"
TRIES = 5
"""Number of attempts to write a shard that, or whose folder, another process may remove at the same moment."""


class DamagedShardError(StoreError):
    """The bytes of a shard are not those that were written."""


class GoneShardError(DamagedShardError):
    """A shard was removed: its features are missing, and the disk is not at fault."""


@dataclass(frozen=True)
class Tensor:
    """The location of a tensor in its file."""

    offset: int
    shape: tuple[int, int]
    checksum: str
    label: dict[str, str]
    """Backbone, module, pooling and view, for people who inspect the file."""


@dataclass(frozen=True, eq=False)
class Shard:
    """A shard on disk whose header and image digests have been read."""

    path: Path
    images: np.ndarray
    """Digests by row, uint8 [n, 32]."""
    tensors: Mapping[str, Tensor]
    """Tensors by the feature key's digest."""
    size: int
    """Size of the file in bytes."""
    releases: str = UNKNOWN
    """Releases under which it was written, see `offshelf.releases`."""

    def read(self, key: str, into: np.ndarray | None = None) -> np.ndarray:
        """Read the tensor of a key, float32 [n, D], into new memory or the array given. Other tensors are not read.

        Raises:
            DamagedShardError: The file is not what was written.
            GoneShardError: The file was removed.
        """
        tensor = self.tensors[key]
        values = np.empty(tensor.shape, np.float32) if into is None else into
        with _readable(self.path), self.path.open("rb", buffering=0) as file:
            _fill(file.fileno(), values, tensor.offset)
        if xxh3_64_hexdigest(values.data) != tensor.checksum:
            raise damaged(self.path, "its checksum differs")
        return values

    def is_intact(self) -> bool:
        """Return whether all bytes of the file are those that were written; True if it was removed."""
        with contextlib.suppress(FileNotFoundError), self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == self.path.stem
        return True


def open_shard(path: Path) -> Shard:
    """Read a shard's header and its images' digests.

    Raises:
        DamagedShardError: The file is truncated, changed, not a shard, or from another version of offshelf.
        GoneShardError: The file does not exist.
    """
    with _readable(path), path.open("rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        begin = file.read(BEGIN)
        start = 8 + int.from_bytes(begin[:8], "little")
        if start > size:
            raise damaged(path, "it is truncated")
        head = parse_head(path, begin + file.read(max(0, start - len(begin))), size)
        images = np.empty((head.listed.shape[0], 32), np.uint8)
        _fill(file.fileno(), images, head.listed.offset)
    head.require(path, images)
    return Shard(path, images, head.tensors, size, head.releases)


@dataclass(frozen=True)
class Head:
    """What the header of a shard says."""

    tensors: Mapping[str, Tensor]
    listed: Tensor
    """The digests of the images."""
    releases: str

    def require(self, path: object, images: np.ndarray) -> None:
        """Raise DamagedShardError if these are not the digests, uint8 [n, 32], of the shard."""
        rows = {tensor.shape[0] for tensor in self.tensors.values()}
        if xxh3_64_hexdigest(images.data) != self.listed.checksum or rows != {len(images)}:
            raise damaged(path, "its checksum differs")


def parse_head(path: object, data: bytes, size: int) -> Head:
    """Parse the first bytes of a shard of `size` bytes, its header at least. Raises DamagedShardError."""
    start = 8 + int.from_bytes(data[:8], "little")
    try:
        header = json.loads(data[8:start])
        about = json.loads(header.pop("__metadata__")["offshelf"])
        if about["format"] != FORMAT:
            raise damaged(path, f"it has format {about['format']}, not {FORMAT}")
        labels, written = about["tensors"], json.dumps(about.get("releases", {}), sort_keys=True)
        tensors = {name: _tensor(entry, start, labels[name]) for name, entry in header.items()}
        listed = tensors.pop("images")
    except (ValueError, KeyError, TypeError, UnicodeDecodeError, RecursionError) as error:
        raise damaged(path, "its header is not that of a shard") from error
    if any(tensor.offset + _bytes(tensor.shape) > size for tensor in tensors.values()):
        raise damaged(path, "it is truncated")
    return Head(tensors, listed, sys.intern(written))


def write_shard(folder: Path, images: Sequence[str], features: Mapping[FeatureKey, np.ndarray]) -> Shard:
    """Write features, float32 [n, D_key] each, of n images as one shard in `folder`.

    Any number of processes on any machines may write the same shard at once: each writes a file of its own and renames
    it to the common name.

    Raises:
        StoreError: The disk is full, read-only or unavailable; no partial file is left.
    """
    data = content(images, features)
    path = folder / (hashlib.sha256(data).hexdigest() + SUFFIX)
    for left in reversed(range(TRIES)):
        try:
            write_whole(path, data)
            return open_shard(path)
        except (GoneShardError, FileNotFoundError) as error:
            if not left:
                raise _unwritten(path, data, error) from error
        except OSError as error:
            if isinstance(error, StoreError):
                raise
            raise _unwritten(path, data, error) from error
    raise AssertionError  # the last attempt returns or raises


def write_whole(path: Path, data: bytes) -> None:
    """Write a file whole or not at all. The temporary name is random: process ids are unique on one machine only."""
    temporary = path.parent / f".{path.stem}.{uuid.uuid4().hex}.tmp"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _unwritten(path: Path, data: bytes, error: OSError) -> StoreError:
    reason = "it is removed immediately" if isinstance(error, GoneShardError) else error.strerror
    return StoreError(
        f"Could not write {len(data) / 2**20:.1f} MiB of features to {path.parent}: {reason}. Nothing is lost: make "
        "space or choose another place with home=… or store.root=…, and the same command continues from here."
    )


def content(images: Sequence[str], features: Mapping[FeatureKey, np.ndarray]) -> bytes:
    """Return the bytes of a shard."""
    from safetensors.numpy import save

    tensors = {key.digest: np.ascontiguousarray(values, np.float32) for key, values in features.items()}
    labels = {
        key.digest: {"backbone": key.backbone, "module": key.module, "pooling": key.pooling, "view": str(key.view)}
        for key in features
    }
    digests: np.ndarray = np.frombuffer(bytes.fromhex("".join(images)), np.uint8).reshape(len(images), 32)
    every = {**tensors, "images": digests}
    about = {
        name: {"checksum": xxh3_64_hexdigest(values.data), **labels.get(name, {})} for name, values in every.items()
    }
    # A single entry: safetensors writes several in no fixed order, and the same features must give the same bytes.
    header = {"format": FORMAT, "releases": json.loads(releases()), "tensors": about}
    return save(every, metadata={"offshelf": json.dumps(header, sort_keys=True)})


def _tensor(entry: dict[str, Any], start: int, about: dict[str, str]) -> Tensor:
    """Return the tensor of a header's entry. Raises ValueError if the entry contradicts itself."""
    (begin, end), (rows, columns) = entry["data_offsets"], entry["shape"]
    width = {"F32": 4, "U8": 1}[entry["dtype"]]
    if not 0 <= begin <= end or end - begin != rows * columns * width:
        raise ValueError("offsets and shape do not agree")
    label = {name: value for name, value in about.items() if name != "checksum"}
    return Tensor(start + begin, (rows, columns), about["checksum"], label)


def _bytes(shape: tuple[int, int]) -> int:
    return 4 * shape[0] * shape[1]


def _fill(file: int, values: np.ndarray, offset: int) -> None:
    left = memoryview(values.reshape(-1).view(np.uint8))  # type: ignore[arg-type]
    while left:
        count = _read_into(file, left, offset)
        if not count:
            raise EOFError
        left, offset = left[count:], offset + count


def _read_into(file: int, memory: memoryview, offset: int) -> int:
    """Read bytes from an offset into memory, at most as many as it holds. Return their number; 0 at the end."""
    if hasattr(os, "preadv"):
        return os.preadv(file, [memory], offset)
    os.lseek(file, offset, os.SEEK_SET)  # Windows
    with io.FileIO(file, closefd=False) as opened:
        return opened.readinto(memory) or 0


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except EOFError:
        raise damaged(path, "it is truncated") from None
    except DamagedShardError:
        raise
    except FileNotFoundError as error:
        raise GoneShardError(f"{path} was removed; its features are extracted again.") from error
    except OSError as error:
        raise damaged(path, f"it cannot be read: {error.strerror}") from error


def damaged(path: object, why: str) -> DamagedShardError:
    """Return the error of a shard whose features count as missing."""
    return DamagedShardError(
        f"{path} is ignored: {why}. Its features are extracted again when they are needed; "
        "offshelf store verify --repair removes it."
    )
