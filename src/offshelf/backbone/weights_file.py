"""Files of weights: recognised by content, read as tensors only, never executed, and identified by their bytes."""

import re
import zipfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from offshelf.errors import BackboneError
from offshelf.identity import file_digest

BEGIN = 512
"""Bytes by which a file is recognised."""

FOREIGN = (
    (b"version https://git-lfs", "is a Git LFS pointer, not the file itself; fetch that with: git lfs pull"),
    (b"\x1f\x8b", "is compressed by gzip; unpack it first"),
    (b"\xfd7zXZ", "is compressed by xz; unpack it first"),
    (b"BZh", "is compressed by bzip2; unpack it first"),
    (b"7z\xbc\xaf", "is a 7z archive; unpack it first"),
    (b"\x89HDF", "is HDF5, as Keras writes it; weights of a PyTorch network are expected"),
    (b"\x93NUMPY", "is a NumPy array; weights of a PyTorch network are expected"),
    (b"GGUF", "is GGUF; weights of a PyTorch network are expected"),
)
CUT = ("central directory", "unexpected eof", "ran out of input", "incomplete metadata", "header too", "invalid header")
"""Phrases in errors of torch and safetensors for incomplete files."""

PAGE = rb"\s*(\xef\xbb\xbf)?\s*<(!doctype|html|\?xml)"
"""Beginning of an HTML page."""

SAVE = "Save tensors alone: torch.save(model.state_dict(), path)"


def weights_digest(path: Path) -> str:
    """Return the SHA-256 of a weights file. Raises BackboneError if it cannot be read."""
    try:
        return content_digest(path)
    except IsADirectoryError:
        raise BackboneError(_folder(path)) from None
    except OSError as error:
        raise BackboneError(f"The weights file {path} cannot be read: {error.strerror}.") from error


def content_digest(path: Path) -> str:
    """Return the SHA-256 of a file, computed again if the file was replaced or written since. Raises OSError."""
    stat = path.stat()
    return _digest(path, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)


@lru_cache(maxsize=4096)
def _digest(path: Path, *_: int) -> str:
    return file_digest(path)


def read_file(path: Path) -> Any:
    """Read a .safetensors file or a PyTorch checkpoint, whatever its name.

    Raises:
        BackboneError: The file is missing, damaged, of another kind, or would execute code.
    """
    kind = _kind(path)
    try:
        if kind == "safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        return _unpickled(path)
    except BackboneError:
        raise
    except Exception as error:  # torch and safetensors raise all kinds of errors
        why = (
            "it is truncated or damaged; copy or download it again" if _is_cut(error) else " ".join(str(error).split())
        )
        raise BackboneError(f"The weights file {path} cannot be read: {why}.") from error


def _kind(path: Path) -> str:
    """Return `safetensors` or `torch`.

    Raises:
        BackboneError: The file is neither.
    """
    if path.is_dir():
        raise BackboneError(_folder(path))
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            begin = file.read(BEGIN)
    except OSError as error:
        raise BackboneError(f"The weights file {path} cannot be read: {error.strerror}.") from error
    foreign = "is empty; copy or download it again" if not begin else _foreign(begin)
    if foreign:
        raise BackboneError(f"The weights file {path} {foreign}.")
    header = int.from_bytes(begin[:8], "little")
    if begin[8:9] == b"{" and begin[9:10] in b'"} \n' and header < 1 << 30:
        if 8 + header > size:
            raise BackboneError(f"The weights file {path} is truncated; copy or download it again.")
        return "safetensors"
    if begin.startswith(b"PK\x03\x04"):
        _require_torch_archive(path)
    elif path.suffix == ".safetensors" and not begin.startswith(b"\x80"):
        raise BackboneError(f"The weights file {path} is not a safetensors file: its header is damaged; copy it again.")
    return "torch"


def _foreign(begin: bytes) -> str:
    """Describe a file that cannot hold weights, by its first bytes; empty if it may."""
    if re.match(PAGE, begin, re.IGNORECASE):
        return "is a web page, as a failed download leaves one; download it again"
    return next((what for magic, what in FOREIGN if begin.startswith(magic)), "")


def _require_torch_archive(path: Path) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError):
        raise BackboneError(f"The weights file {path} is truncated or damaged; copy or download it again.") from None
    inner = {name.partition("/")[2] for name in names}
    if "constants.pkl" in inner or any(name.startswith("code/") for name in inner):
        raise BackboneError(
            f"The weights file {path} is a TorchScript archive, which holds code; if you trust it, save only its "
            "tensors: torch.save(torch.jit.load(path).state_dict(), new_path)"
        )
    if "data.pkl" in inner:
        return
    what = "NumPy's .npz" if names and all(name.endswith(".npy") for name in names) else "a ZIP archive of other files"
    raise BackboneError(f"The weights file {path} is {what}; weights written by PyTorch or safetensors are expected.")


def _unpickled(path: Path) -> Any:
    import pickle

    import torch

    try:
        with path.open("rb") as file:  # for some names torch would choose another reader
            return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        held = re.search(r"(?:GLOBAL|global:?|type:?|class)\s+'?([A-Za-z_][\w.]*\.[\w.]+)", str(error))
        if not held:
            raise BackboneError(
                f"{path} is not a plain state dict: it is damaged, not a file of weights, or holds objects that would "
                f"be executed on loading. {SAVE}"
            ) from error
        raise BackboneError(
            f"{path} is not a plain state dict: it holds a {held[1]}, and reading it would execute code from the file. "
            "If you trust it, save only the tensors: "
            "torch.save(torch.load(path, weights_only=False)['state_dict'], new_path)"
        ) from error


def _is_cut(error: Exception) -> bool:
    return isinstance(error, EOFError) or any(words in str(error).lower() for words in CUT)


def _folder(path: Path) -> str:
    files = sorted(each for each in path.iterdir() if each.suffix in (".safetensors", ".pth", ".pt", ".bin", ".ckpt"))
    named = f" It holds {', '.join(each.name for each in files[:5])}." if files else ""
    return f"The weights file {path} is a folder; a file is expected.{named}"


def no_state_dict(path: Path, content: Any = None) -> str:
    """Return a sentence on a file without weights."""
    holds = f" It holds: {', '.join(map(str, list(content)[:6]))}." if isinstance(content, Mapping) and content else ""
    return f"{path} holds no state dict: a mapping of names to tensors was expected.{holds}"
