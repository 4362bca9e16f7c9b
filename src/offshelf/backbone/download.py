"""Published weights from the local cache, downloaded on first use."""

import logging
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlparse

from offshelf.backbone.weights_file import weights_digest
from offshelf.errors import BackboneError
from offshelf.process.environment import variable

FORBIDDEN = "OFFSHELF_NO_DOWNLOADS"
"""Environment variable that is set while downloads are forbidden, in this process and its children."""


def without_downloads() -> AbstractContextManager[None]:
    """Raise BackboneError for weights that are not cached, within the block."""
    return variable(FORBIDDEN, "1")


def downloads_forbidden() -> bool:
    """Return whether the caller is inside `without_downloads`."""
    return FORBIDDEN in os.environ


def hub_path(url: str) -> Path:
    """Return the path of a URL's file in torch hub's cache, whether or not it exists."""
    import torch

    return Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(url).path).name


def hub_file(url: str, name: str) -> Path:
    """Return the file of a URL in torch hub's cache; its checksum is verified after a download.

    Raises:
        BackboneError: The file is not in the cache and cannot be downloaded.
    """
    import torch

    path = hub_path(url)
    file = path.name
    if path.is_file():
        return path
    if downloads_forbidden():
        raise BackboneError(f"its weights are not available locally: {file} is not in {path.parent}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        has_checksum = torch.hub.HASH_REGEX.search(file)
        torch.hub.download_url_to_file(url, str(path), has_checksum.group(1) if has_checksum else None)
    except (URLError, OSError, RuntimeError) as error:
        raise _unavailable(name, f"{file} ({error})", str(path)) from error
    return path


def is_published(path: Path, url: str) -> bool:
    """Return whether a file matches a URL, by the part of its SHA-256 at the end of the URL (`-f37072fd.pth`)."""
    import torch

    found = torch.hub.HASH_REGEX.search(Path(urlparse(url).path).name)
    return found is not None and path.is_file() and weights_digest(path).startswith(found.group(1))


def hugging_face_file(repository: str, file: str | None, name: str) -> Path:
    """Return the weights file of a Hugging Face repository in its cache, downloaded on first use.

    Raises:
        BackboneError: The file is not in the cache and cannot be downloaded.
    """
    import huggingface_hub

    names = _safe_first(file or "pytorch_model.bin")
    for candidate in names:
        cached = huggingface_hub.try_to_load_from_cache(repository, candidate)
        if isinstance(cached, str):
            return Path(cached)
    if downloads_forbidden():
        raise BackboneError(f"its weights are not available locally: {repository} is not in the Hugging Face cache")
    problem: Exception | None = None
    with _unheard():
        for candidate in names:
            try:
                return Path(huggingface_hub.hf_hub_download(repository, candidate))
            except Exception as error:  # the hub's errors have no common base class: network, HTTP, cache, no entry
                problem = problem or error
                if not _is_missing(error):
                    break
    raise _unavailable(name, f"{names[0]} of {repository}", "the Hugging Face cache") from problem


def _is_missing(error: Exception) -> bool:
    """Return whether the repository was reached and has no such file."""
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    return isinstance(error, EntryNotFoundError) and not isinstance(error, LocalEntryNotFoundError)


@contextmanager
def _unheard() -> Iterator[None]:
    """Hide the hub's log of each attempt; the final failure still raises."""
    logger = logging.getLogger("huggingface_hub")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _safe_first(file: str) -> list[str]:
    """Return the file, preceded by its .safetensors counterpart if it may have one."""
    twins = {"pytorch_model.bin": "model.safetensors", "open_clip_pytorch_model.bin": "open_clip_model.safetensors"}
    return [twins.get(file, f"{file[:-4]}.safetensors"), file] if file.endswith(".bin") else [file]


def _unavailable(name: str, what: str, where: str) -> BackboneError:
    return BackboneError(
        f"The published weights of {name} could not be downloaded: {what}. Connect once, place the file at {where}, "
        "or use backbone.weights=FILE, or backbone.weights=null for random ones."
    )
