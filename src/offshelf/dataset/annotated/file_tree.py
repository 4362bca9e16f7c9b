"""Files of annotations and images: of a folder, or below the address of a bucket, which is listed once."""

import posixpath
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePath

from typing_extensions import override

from offshelf.dataset.bucket_walk import BucketWalk
from offshelf.dataset.remote.file import Place, RemoteFile
from offshelf.dataset.remote.versions import THREADS
from offshelf.errors import ConfigError, DatasetError, ImageError


class FileTree(ABC):
    """Files by their paths, which are below a root, or anywhere where that is a folder."""

    root: PurePath

    @abstractmethod
    def is_file(self, path: PurePath) -> bool:
        """Return whether there is such a file."""

    @abstractmethod
    def is_folder(self, path: PurePath) -> bool:
        """Return whether there is such a folder."""

    @abstractmethod
    def below(self, folder: PurePath, wanted: Callable[[str], bool]) -> Iterator[PurePath]:
        """Yield the files below a folder whose names are wanted."""

    @abstractmethod
    def place(self, path: PurePath) -> Place:
        """Return where the bytes of a file are, whether there is one or not."""

    @abstractmethod
    def read(self, path: PurePath) -> bytes:
        """Return the bytes of a file. Raises DatasetError."""

    def read_all(self, paths: Sequence[PurePath]) -> Iterator[bytes]:
        """Yield the bytes of files. Raises DatasetError."""
        return map(self.read, paths)

    def read_text(self, path: PurePath) -> str:
        """Return the text of a file, in UTF-8. Raises DatasetError."""
        return as_text(self.read(path), path)


class LocalTree(FileTree):
    """Files of this machine."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @override
    def is_file(self, path: PurePath) -> bool:
        return Path(path).is_file()

    @override
    def is_folder(self, path: PurePath) -> bool:
        return Path(path).is_dir()

    @override
    def below(self, folder: PurePath, wanted: Callable[[str], bool]) -> Iterator[PurePath]:
        return (path for path in Path(folder).rglob("*") if wanted(path.name) and path.is_file())

    @override
    def place(self, path: PurePath) -> Path:
        return Path(path)

    @override
    def read(self, path: PurePath) -> bytes:
        try:
            return Path(path).read_bytes()
        except OSError as error:
            raise DatasetError(f"{path} cannot be read: {error.strerror}.") from error


class BucketTree(FileTree):
    """Objects below an address. The listing has their sizes and tags, so that none is read again that was read."""

    def __init__(self, root: RemoteFile) -> None:
        """List them.

        Raises:
            ConfigError: The address is of a web site, whose files cannot be listed.
            DatasetError: There are none.
            RemoteError: The server cannot be reached, or refuses.
        """
        if root.url.is_site:
            raise ConfigError(
                f"{root} is on a web site, whose files cannot be listed, and these annotations are in many files: copy "
                "them to a folder or a bucket."
            )
        self._walk = BucketWalk(root.url)
        self._objects = self._walk.objects
        self.root = self._walk.root
        self._row_of = {self._objects.name(row): row for row in range(len(self._objects))}

    @override
    def is_file(self, path: PurePath) -> bool:
        return self._below(path) in self._row_of

    @override
    def is_folder(self, path: PurePath) -> bool:
        name = self._below(path)
        return name is not None and self._walk.is_folder(self.root / name)

    @override
    def below(self, folder: PurePath, wanted: Callable[[str], bool]) -> Iterator[PurePath]:
        name = self._below(folder)
        start = f"{name}/" if name else ""
        if name is not None:
            paths = (self.root / found for found in self._row_of if found.startswith(start))
            yield from (path for path in paths if wanted(path.name))

    @override
    def place(self, path: PurePath) -> Place:
        name = self._below(path)
        row = self._row_of.get(name) if name else None
        return self._objects.at(row) if row is not None else RemoteFile(self._walk.url / (name or str(path)))

    @override
    def read(self, path: PurePath) -> bytes:
        try:
            return self.place(path).read_bytes()
        except ImageError as error:
            raise DatasetError(f"{path} cannot be read: {error}") from error

    @override
    def read_all(self, paths: Sequence[PurePath]) -> Iterator[bytes]:
        with ThreadPoolExecutor(THREADS) as pool:
            yield from pool.map(self.read, paths)

    def _below(self, path: PurePath) -> str | None:
        """Return the name below the root, empty for the root itself; None for what is elsewhere."""
        whole, top = (posixpath.normpath(str(one)) for one in (path, self.root))
        if whole == top:
            return ""
        return whole.removeprefix(f"{top}/") if whole.startswith(f"{top}/") else None


def file_tree(root: Place) -> FileTree:
    """Return the files of a folder, or of an address. Raises as BucketTree."""
    return LocalTree(root) if isinstance(root, Path) else BucketTree(root)


def as_text(content: bytes, path: PurePath) -> str:
    """Return the text of a file, in UTF-8. Raises DatasetError."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeError as error:
        raise DatasetError(f"{path} cannot be read: {error}.") from error
