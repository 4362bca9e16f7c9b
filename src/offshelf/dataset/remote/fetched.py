"""Large files of a server, copied once into the home as they are read at random: tables, tar files, features."""

import fnmatch
import hashlib
import logging
import re
import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from offshelf.errors import DatasetError
from offshelf.home import home_dir
from offshelf.remote import About, Url, client
from offshelf.remote.faults import ObjectError

log = logging.getLogger(__name__)

PIECE = 16 << 20
"""Bytes of a request."""
MARGIN = 1 << 30
"""Bytes that stay free on the disk."""
_MAGIC = re.compile(r"[*?\[]")


Remote = tuple[Url, About]
"""A file of a server."""


def find_remote(word: str, suffixes: Sequence[str]) -> list[Remote]:
    """Return the files that an address stands for: itself, those below it, or those that match its pattern.

    Raises:
        DatasetError: There are none.
        RemoteError: The server cannot be reached, or refuses.
    """
    url = Url.of(word)
    if url.is_site or (PurePosixPath(url.key).suffix.lower() in suffixes and not _MAGIC.search(url.key)):
        try:
            return [(url, client(url).about(url))]
        except ObjectError as error:
            raise DatasetError(f"dataset.path: {error}") from error
    magic = _MAGIC.search(url.key)
    before = url.key[: magic.start()].rpartition("/")[0] if magic else url.key
    folder = Url(url.scheme, url.place, before, user=url.user)
    found = [
        (Url(url.scheme, url.place, key, user=url.user), about)
        for page in client(folder).pages(folder)
        for key, about in page
        if (_matches(key, url.key) if magic else PurePosixPath(key).suffix.lower() in suffixes)
    ]
    if not found:
        kinds = "matches no object" if magic else f"has no files of the kind {', '.join(suffixes)} below it"
        raise DatasetError(f"dataset.path={url} {kinds}.")
    return found


def fetch(files: Sequence[Remote]) -> list[Path]:
    """Return copies of files, fetched unless the home has this version of them.

    Raises:
        DatasetError: The disk is too small, or a file is changed while it is read.
        RemoteError: The server cannot be reached, or refuses.
    """
    if not files:
        return []
    folder = home_dir() / "remote" / "files"
    copies = [(url, about, _place(folder, url, about)) for url, about in files]
    lacking = [(url, about, path) for url, about, path in copies if not path.exists()]
    if lacking:
        size = sum(about.size for _, about, _ in lacking)
        log.warning("Fetching %s file(s), %.1f MB, into %s", f"{len(lacking):,}", size / 1e6, folder)
        folder.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(folder).free < size + MARGIN:
            raise DatasetError(
                f"{folder} has no room for {size / 1e9:.1f} GB, as which the files of dataset.path are fetched: choose "
                "another place with home=… or OFFSHELF_HOME."
            )
    for url, about, path in lacking:
        _save(url, about, path)
    return [path for _, _, path in copies]


def _place(folder: Path, url: Url, about: About) -> Path:
    version = hashlib.sha256(f"{url}\n{about.size}\n{about.tag}".encode()).hexdigest()
    return folder / version[:32] / url.name


def _save(url: Url, about: About, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        with temporary.open("wb") as file:
            for start in range(0, about.size, PIECE):
                file.write(client(url).get_range(url, start, min(start + PIECE, about.size), about.tag))
        temporary.replace(path)
    except ObjectError as error:
        raise DatasetError(str(error)) from error
    except OSError as error:
        raise DatasetError(f"{path} cannot be written: {error.strerror}.") from error
    finally:
        temporary.unlink(missing_ok=True)


def _matches(key: str, pattern: str) -> bool:
    """Return whether a key matches a pattern, of which `*` does not cross folders, and `**` does."""
    names, patterns = key.split("/"), pattern.split("/")
    if "**" not in patterns:
        return len(names) == len(patterns) and all(map(fnmatch.fnmatchcase, names, patterns))
    place = patterns.index("**")
    head, tail = patterns[:place], "/".join(patterns[place + 1 :])
    is_below = len(names) > len(head) and all(map(fnmatch.fnmatchcase, names, head))
    return is_below and any(_matches("/".join(names[start:]), tail) for start in range(place, len(names)))
