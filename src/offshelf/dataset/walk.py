"""Traversal of image folders. Each real file is taken once; files of systems are skipped; all others are named."""

import fnmatch
import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path, PurePath

from offshelf.dataset.imageset import LeftOut
from offshelf.dataset.kind import is_named_image, is_system, why_no_image
from offshelf.dataset.location import Paths
from offshelf.dataset.remote.objects import Objects
from offshelf.errors import DatasetError

Listing = list[os.DirEntry[str]]

SYSTEM = "hidden, or a file of the system"
NO_FILE = "a pipe, a device or the like"
RESULTS = "results of runs"
MADE = (".hydra/config.yaml", "multirun.yaml", "mlflow.db")
"""Files in an output folder, in that of a sweep, and in a home, whose plots are images too."""
RUNS = 4
"""Depth of output folders: outputs/classify/DATE/TIME."""
LOOKED_AT = 1000
"""Number of subfolders without files that are examined."""
NO_SAMPLE = "none"
"""The role of a file that is not taken."""


def _is_results(folder: str, depth: int) -> bool:
    """Return whether a folder is the output folder of a run, a home, or contains only such folders."""
    if any(os.path.exists(f"{folder}/{name}") for name in MADE):  # noqa: PTH110
        return True
    if not depth:
        return False
    inner: list[str] = []
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False) or len(inner) == LOOKED_AT:
                return False
            inner.append(entry.path)
    return bool(inner) and all(_is_results(one, depth - 1) for one in inner)


def matches(path: str, pattern: str) -> bool:
    """Return whether a path below the root matches a shell pattern; one without a slash is of the last name."""
    names, patterns = path.split("/"), pattern.strip("/").split("/")
    names = names[-1:] if len(patterns) == 1 else names
    return len(names) == len(patterns) and all(map(fnmatch.fnmatchcase, names, patterns))


class Walk:
    """Reads folders below a root; names are paths below it, with `/`.

    Links are followed, but nothing is taken twice through them. A link back into the folder being read is left out, and
    a link into another folder that is read is an error, since an image has one class. Hard links and copies are
    separate files; their digests show that they are equal.
    """

    def __init__(self, root: PurePath, ignore: Sequence[str] = ()) -> None:
        """Take `ignore`: shell patterns of names or, with `/`, of paths below the root, with everything below them."""
        self.root, self.ignore = root, tuple(map(str, ignore))
        self._left_out: dict[str, LeftOut] = {}
        self._matched: set[str] = set()
        self.by_content: list[str] = []
        """Names of images that are not named as such."""
        self.below: dict[str, set[str]] = {}
        """Names of the subfolders, by folder given to `images`."""
        self._top = os.path.realpath(root)
        self._owners: dict[str, str] = {}
        """By real folder, the folder given to `images` that contains it."""
        self._links: dict[str, tuple[str, str]] = {}
        """By real file that was found through a link: the owner, and the link."""

    def peek(self, folder: PurePath) -> list[str]:
        """Return names of the subfolders of a folder, in any order, ignored ones too. Raises DatasetError."""
        try:
            with os.scandir(folder) as entries:
                return [entry.name for entry in entries if entry.is_dir() and not is_system(entry.name)]
        except OSError as error:
            raise DatasetError(f"{folder} cannot be read: {error.strerror}.") from error

    def is_folder(self, folder: PurePath) -> bool:
        """Return whether there is such a folder."""
        return Path(folder).is_dir()

    def has_file(self, path: PurePath) -> bool:
        """Return whether there is such a file."""
        return Path(path).is_file()

    def real(self, folder: PurePath) -> PurePath:
        """Return the path of a folder, links followed."""
        return Path(folder).resolve()

    def locations(self, names: Iterable[str]) -> Paths | Objects:
        """Return where the files of some names are."""
        return Paths(Path(self.root), names)

    @property
    def unmatched(self) -> list[str]:
        """Patterns of `ignore` that matched nothing that was read."""
        return [pattern for pattern in self.ignore if pattern not in self._matched]

    @property
    def left_out(self) -> list[LeftOut]:
        """Files that are not taken, and why."""
        return sorted(self._left_out.values(), key=lambda one: one.id)

    def folders(self, folder: PurePath) -> list[str]:
        """Return sorted names of the subfolders. Raises DatasetError."""
        return [entry.name for entry in self._entries(str(folder)) if entry.is_dir() and not self._is_above(entry)]

    def files(self, folder: PurePath) -> list[str]:
        """Return names of the files in a folder. Raises DatasetError."""
        return [entry.name for entry in self._entries(str(folder)) if not entry.is_dir()]

    def pass_over(self, folder: PurePath, why: str, images_only: bool = False) -> list[str]:
        """Leave out files of a folder that are in no class folder. Return those that are images by name."""
        names = [self._name(str(folder / name)) for name in self.files(folder)]
        images = [name for name in names if is_named_image(name)]
        for name in names:
            self.leave(name, why if name in set(images) else "not an image by its name, and in no class folder")
        return images

    def images(self, folder: PurePath) -> list[str]:
        """Return names of the images at any depth below a folder, sorted path by path.

        Raises:
            DatasetError: A folder cannot be read, or a link leads into another folder that is read.
        """
        owner = str(folder)
        found: list[str] = []
        links: list[str] = []
        self._scan(owner, owner, found, links)
        is_linked = bool(links)
        while links:
            self._follow(links.pop(0), owner, found, links)
        return sorted(found, key=lambda name: name.split("/")) if is_linked else found

    def require_each_once(self) -> None:
        """Raise DatasetError if one real file was found in two of the folders that were read."""
        for real, (owner, link) in self._links.items():
            other = self._owners.get(os.path.dirname(real), owner)  # noqa: PTH120 - of many
            if other != owner and not is_system(os.path.basename(real)):  # noqa: PTH119
                raise self._shared(link, real, real)

    def _scan(self, folder: str, owner: str, found: list[str], links: list[str]) -> None:
        real = os.path.realpath(folder)
        other = self._owners.setdefault(real, owner)
        if other != owner:
            raise self._shared(folder, real, other)
        for entry in self._entries(folder):
            if entry.is_symlink():
                links.append(entry.path)
            elif entry.is_dir():
                if folder == owner:
                    self.below.setdefault(owner, set()).add(entry.name)
                self._scan(entry.path, owner, found, links)
            elif entry.is_file():
                self._take(entry.path, found)
            else:
                self.leave(self._name(entry.path), NO_FILE)

    def _follow(self, link: str, owner: str, found: list[str], links: list[str]) -> None:
        real = os.path.realpath(link)
        if os.path.isdir(real):  # noqa: PTH112
            if self._owners.get(real) == owner or self._is_inside(owner, real):
                self.leave(self._name(link), f"a link to {self._name(real)}, which is already read")
            else:
                self._scan(link, owner, found, links)
            return
        if os.path.exists(real) and not os.path.isfile(real):  # noqa: PTH110, PTH113
            self.leave(self._name(link), NO_FILE)
            return
        is_there = os.path.exists(real) and self._name(real) not in self._left_out  # noqa: PTH110
        is_again = is_there and self._owners.get(os.path.dirname(real)) == owner  # noqa: PTH120
        other, first = self._links.setdefault(real, (owner, link))
        if other != owner:
            raise self._shared(link, real, first)
        if is_again or first != link:
            self.leave(self._name(link), f"a link to {self._name(real)}, which is already read")
        else:
            self._take(link, found)

    def _take(self, path: str, found: list[str]) -> None:
        name = self._name(path)
        if not is_named_image(name):
            why = why_no_image(path)
            if why:
                self.leave(name, why)
                return
            self.by_content.append(name)
        found.append(name)

    def _entries(self, folder: str) -> Listing:
        """Return the sorted content of a folder, without files of systems and ignored ones."""
        try:
            with os.scandir(folder) as entries:
                return sorted(filter(self._is_kept, entries), key=lambda entry: entry.name)
        except OSError as error:
            raise DatasetError(f"{folder} cannot be read: {error.strerror}.") from error

    def _is_kept(self, entry: os.DirEntry[str]) -> bool:
        name = self._name(entry.path)
        if is_system(entry.name):
            self.leave(name, SYSTEM)
        elif matched := [pattern for pattern in self.ignore if matches(name, pattern)]:
            self._matched.update(matched)
            self.leave(name, "dataset.ignore")
        elif entry.is_dir() and _is_results(entry.path, RUNS if os.path.dirname(entry.path) == str(self.root) else 0):  # noqa: PTH120
            self.leave(name, RESULTS)
        else:
            return True
        return False

    def _is_above(self, entry: os.DirEntry[str]) -> bool:
        """Return whether a folder is a link to one that contains it."""
        if not entry.is_symlink() or not self._is_inside(os.path.dirname(entry.path), os.path.realpath(entry.path)):  # noqa: PTH120
            return False
        self.leave(self._name(entry.path), f"a link to {self._name(os.path.realpath(entry.path))}, which contains it")
        return True

    def _is_inside(self, folder: str, real: str) -> bool:
        """Return whether a folder, or the root, is a real folder or inside it."""
        return any(f"{place}/".startswith(f"{real.rstrip('/')}/") for place in (os.path.realpath(folder), self._top))

    def leave(self, name: str, why: str) -> None:
        """Note a file that is not taken."""
        self._left_out[name] = LeftOut(name, NO_SAMPLE, why)

    def _name(self, path: str) -> str:
        """Return the path below the root, if it is there."""
        for root in (str(self.root), self._top):
            if path.startswith(f"{root}/"):
                return path[len(root) + 1 :]
        return "." if path in (str(self.root), self._top) else path

    def _shared(self, link: str, real: str, other: str) -> DatasetError:
        return DatasetError(
            f"{self._name(link)} and {self._name(other)} in {self.root} are the same ({real}), through a link; an "
            f"image has one class and one part. Leave one out: 'dataset.ignore=[\"{self._name(link)}\"]'"
        )
