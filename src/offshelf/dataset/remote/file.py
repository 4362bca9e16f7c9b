"""Files at an address, used as paths are."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from offshelf.dataset.remote.kept import kept
from offshelf.errors import ImageError
from offshelf.remote import Url, client, is_url
from offshelf.remote.faults import GoneError, ObjectError


@dataclass(frozen=True)
class RemoteFile:
    """A file at an address; a location for ImageFile. It holds no credentials but those of its address."""

    url: Url
    size: int = -1
    """Bytes; -1 if unknown."""
    tag: str = ""
    """Its ETag, or when it was changed; empty if unknown."""

    def __str__(self) -> str:
        return str(self.url)

    def __truediv__(self, name: str) -> "RemoteFile":
        return RemoteFile(self.url / name)

    @property
    def parent(self) -> "RemoteFile":
        """What the file is in."""
        return RemoteFile(self.url.parent)

    @property
    def name(self) -> str:
        """Last name of the address."""
        return self.url.name

    @property
    def stem(self) -> str:
        """The name without its suffix."""
        return PurePosixPath(self.name).stem

    @cached_property
    def version(self) -> str:
        """What stands for the bytes: address, size and tag; empty if the server gives no tag."""
        return f"{self.url}\n{self.size}\n{self.tag}" if self.tag else ""

    def exists(self) -> bool:
        """Return whether there is such a file. Raises RemoteError."""
        if self.size >= 0:
            return True
        try:
            client(self.url).about(self.url)
        except GoneError:
            return False
        return True

    def read_bytes(self) -> bytes:
        """Return the bytes, from a copy in the home if there is one.

        Raises:
            ImageError: There is no such file, or it was changed.
            RemoteError: The server cannot be reached, or refuses.
        """
        found = kept().get(self.version) if self.version else None
        if found is not None:
            return found
        try:
            data = client(self.url).get(self.url, self.tag)
        except ObjectError as error:
            raise ImageError(str(error)) from error
        if 0 <= self.size != len(data):
            raise ImageError(f"{self} was changed while it was in use; start again.")
        if self.version:
            kept().put(self.version, data)
        return data


Place = Path | RemoteFile
"""A file or folder, here or at an address."""


def place(text: str) -> Place:
    """Return an absolute path, or what is at an address. Raises ConfigError for an address of another kind."""
    return RemoteFile(Url.of(text)) if is_url(text) else Path(text).expanduser().absolute()


def below(root: Place, name: str) -> Place:
    """Return a file below a root; an absolute path or an address is itself."""
    return RemoteFile(Url.of(name)) if is_url(name) else root / name


def public(name: str) -> str:
    """Return a name; an address without what gives access."""
    return str(Url.of(name)) if is_url(name) else name
