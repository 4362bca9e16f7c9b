"""The folders of a bucket, of which there are only keys: one listing says all of them."""

from array import array
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePath, PurePosixPath

import numpy as np
from typing_extensions import override

from offshelf.dataset.kind import is_named_image, is_system
from offshelf.dataset.remote.objects import Objects
from offshelf.dataset.walk import SYSTEM, Walk, matches
from offshelf.errors import DatasetError
from offshelf.memo import once
from offshelf.remote import About, Url, client
from offshelf.remote.url import BUCKETS

ODD_KEY = "its key has an empty name between slashes, or a name . or .."
MARKER = "an empty object, as programs leave it for a folder"
BY_NAME = "not an image by its name, which is all that counts in a bucket"


class BucketPath(PurePosixPath):
    """A folder of a bucket, which is shown as its address."""

    @override
    def __str__(self) -> str:
        text = super().__str__()
        scheme, colon, rest = text.partition(":/")
        return f"{scheme}://{rest}" if colon and scheme in BUCKETS else text


class BucketWalk(Walk):
    """Reads folders below an address. Images are told by their names; there are no links."""

    def __init__(self, root: Url, ignore: Sequence[str] = ()) -> None:
        """List all keys below an address; for `ignore` see Walk.

        Raises:
            DatasetError: There are none.
            RemoteError: The server cannot be reached, or refuses.
        """
        super().__init__(BucketPath(f"{root.scheme}:/{root.place}/{root.key}"), ignore)
        self.url = root
        self.objects, odd = once(self._listed, "listing of a bucket", str(root))
        for name in odd:
            self.leave(name, ODD_KEY)
        if not len(self.objects):
            raise DatasetError(
                f"dataset.root={root} has no objects below it. Expected: a folder with a folder for each class."
            )
        self._rows: dict[str, array[int]] = {}
        """Rows of the objects of each folder, by its name below the root."""
        self._inner: dict[str, set[str]] = {"": set()}
        """Names of the subfolders of each folder."""
        for row in range(len(self.objects)):
            folder = self.objects.name(row).rpartition("/")[0]
            if folder not in self._rows:
                self._rows[folder] = array("q")
                self._add(folder)
            self._rows[folder].append(row)
        self._leave_markers()

    def _listed(self) -> tuple[Objects, list[str]]:
        """Return the objects below the root, and the names that are not those of files. Jobs share them."""
        odd: list[str] = []
        return Objects.of(self.url, self._found(odd)), odd

    def _found(self, odd: list[str]) -> Iterator[tuple[str, About]]:
        start = len(self.url.key.rstrip("/")) + 1 if self.url.key.strip("/") else 0
        for page in client(self.url).pages(self.url):
            for key, about in page:
                name = key[start:]
                if any(part in ("", ".", "..") for part in name.split("/")):
                    odd.append(name)
                else:
                    yield name, about

    def _add(self, folder: str) -> None:
        if folder not in self._inner:
            self._inner[folder] = set()
            outer, _, name = folder.rpartition("/")
            self._add(outer)
            self._inner[outer].add(name)

    def _leave_markers(self) -> None:
        """Drop empty objects that stand for folders: of the name of one, or without a suffix."""
        for folder, rows in list(self._rows.items()):
            kept = [row for row in rows if not self._is_marker(row)]
            for row in set(rows) - set(kept):
                if self.objects.name(row) not in self._inner:
                    self.leave(self.objects.name(row), MARKER)
            self._rows[folder] = array("q", kept)

    def _is_marker(self, row: int) -> bool:
        name = self.objects.name(row)
        return self.objects.sizes_N[row] == 0 and (name in self._inner or not PurePosixPath(name).suffix)

    @override
    def peek(self, folder: PurePath) -> list[str]:
        return [name for name in self._inner.get(self._below(folder), ()) if not is_system(name)]

    @override
    def is_folder(self, folder: PurePath) -> bool:
        return self._below(folder) in self._inner

    @override
    def has_file(self, path: PurePath) -> bool:
        return path.name in self._names_in(self._below(path.parent))

    @override
    def real(self, folder: PurePath) -> PurePath:
        return folder

    @override
    def folders(self, folder: PurePath) -> list[str]:
        below = self._below(folder)
        return sorted(name for name in self._inner.get(below, ()) if self._takes(_joined(below, name)))

    @override
    def files(self, folder: PurePath) -> list[str]:
        below = self._below(folder)
        return sorted(name for name in self._names_in(below) if self._takes(_joined(below, name)))

    @override
    def images(self, folder: PurePath) -> list[str]:
        owner = self._below(folder)
        found = list(self._images(owner))
        inner = {name for name in self._inner.get(owner, ()) if self._takes(_joined(owner, name))}
        if inner:
            self.below[str(folder)] = inner
        return sorted(found, key=lambda name: name.split("/"))

    def _images(self, folder: str) -> Iterator[str]:
        for name in self._names_in(folder):
            path = _joined(folder, name)
            if self._takes(path):
                if is_named_image(name):
                    yield path
                else:
                    self.leave(path, BY_NAME)
        for name in self._inner.get(folder, ()):
            if self._takes(_joined(folder, name)):
                yield from self._images(_joined(folder, name))

    @override
    def require_each_once(self) -> None:
        """Do nothing: there are no links."""

    @override
    def locations(self, names: Iterable[str]) -> Objects:
        row_of = {self.objects.name(row): row for rows in self._rows.values() for row in rows}
        return self.objects.take(np.array([row_of[name] for name in names], np.int64))

    def _takes(self, path: str) -> bool:
        """Return whether a file or folder is neither of a system nor ignored; leave it out else."""
        if is_system(path.rpartition("/")[2]):
            self.leave(path, SYSTEM)
        elif matched := [pattern for pattern in self.ignore if matches(path, pattern)]:
            self._matched.update(matched)
            self.leave(path, "dataset.ignore")
        else:
            return True
        return False

    def _names_in(self, folder: str) -> list[str]:
        return [self.objects.name(row).rpartition("/")[2] for row in self._rows.get(folder, ())]

    def _below(self, folder: PurePath) -> str:
        return "" if folder == self.root else folder.relative_to(self.root).as_posix()

    @override
    def _name(self, path: str) -> str:
        start = f"{self.root}/"
        return path.removeprefix(start) if path.startswith(start) else "." if path == str(self.root) else path


def _joined(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name
