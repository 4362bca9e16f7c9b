"""Published sets in their official files, which are downloaded, verified, unpacked, read, and counted."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from offshelf.dataset.imageset import ImageSet
from offshelf.dataset.leaks import LeakRules
from offshelf.dataset.published.archive import unpack
from offshelf.dataset.published.download import Remote, check_file, fetch
from offshelf.dataset.renumbering import renumbered
from offshelf.dataset.retrieval_set import RetrievalSet
from offshelf.dataset.training_sizes import TrainingSizes
from offshelf.errors import DatasetError


@dataclass(frozen=True)
class About:
    """The description of a published data set."""

    name: str
    title: str
    licence: str
    home: str
    """Address of its page."""
    citation: str


@runtime_checkable
class Described(Protocol):
    """A data set with a description and published files."""

    @property
    def about(self) -> About:
        """Description of the set."""

    @property
    def folder(self) -> Path:
        """Folder of the set, whether or not it exists."""

    def check_files(self) -> Sequence[str]:
        """Return names of the published files with correct checksums. Raises DatasetError for a wrong one."""


@dataclass(frozen=True, kw_only=True)
class Published(ABC):
    """The files of a published set. A tree without its archives, placed by hand, is used as it is."""

    root: str
    """Folder of all data sets, or of the official tree."""
    download: bool = True
    mirrors: Sequence[str] = ()
    """URLs of folders that are tried before the published addresses."""
    verify: bool = True
    """Whether checksums and numbers of images must be the official ones."""
    allow_unverified: bool = False
    """Whether to accept files without a published checksum from addresses that are not https."""

    @property
    @abstractmethod
    def about(self) -> About:
        """Description of the set."""

    @abstractmethod
    def remotes(self) -> Sequence[Remote]:
        """Return the published files."""

    @property
    def own_folder(self) -> str:
        """Name of its folder among those of all data sets; sets with the same images share it."""
        return self.about.name

    @property
    def folder(self) -> Path:
        """Folder of the official tree, whether or not it exists."""
        root = Path(self.root).expanduser().absolute()
        trees = [tree for remote in self.remotes() for tree in remote.holds]
        own = root / self.own_folder
        if any((root / tree).exists() for tree in trees):
            return root
        is_nested = [any(self._in(place, tree).exists() for tree in trees) for place in (own, root)]
        return root if is_nested == [False, True] else own

    def at(self, path: str) -> Path:
        """Return the location of a path of the official tree.

        Copies such as Kaggle's hold the content of an archive in a folder of the archive's name, or of the same name:
        `cars_train/cars_train`, `food-101/food-101`, `dtd-r1.0.1/dtd`.
        """
        return self._in(self.folder, path)

    def _in(self, folder: Path, path: str) -> Path:
        stems = [remote.name.split(".tar")[0].removesuffix(".tgz").removesuffix(".zip") for remote in self.remotes()]
        around = (path.split("/")[0], *stems)
        return next((folder / one / path for one in around if (folder / one / path).exists()), folder / path)

    def check_files(self) -> Sequence[str]:
        """Verify the published files. Unlike `load`, this also reads archives that were unpacked before."""
        here = [remote for remote in self.remotes() if self.verify and (self.folder / remote.name).is_file()]
        for remote in here:
            check_file(self.folder / remote.name, remote)
        return [remote.name for remote in here]

    def _obtain(self) -> None:
        from filelock import FileLock

        missing = [remote for remote in self.remotes() if not self._is_ready(remote)]
        absent = [remote for remote in missing if not (self.folder / remote.name).is_file()]
        if absent and not self.download:
            raise self._missing(absent[0], ", and dataset.download=false")
        if missing:
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                with FileLock(self.folder / ".lock"):  # processes that start at once wait for the first
                    for remote in missing:
                        if not self._is_ready(remote):
                            self._obtain_one(remote)
            except OSError as error:
                raise DatasetError(f"The folder {self.folder} cannot be written to: {error.strerror}.") from error
        for remote in self.remotes():
            if self.verify and not remote.holds:
                check_file(self.folder / remote.name, remote)

    def _is_ready(self, remote: Remote) -> bool:
        """Return whether a file is there: as published, completely unpacked, or as a tree placed by hand."""
        file = self.folder / remote.name
        if not remote.holds:
            return file.is_file()
        # Archives may unpack into one tree: once one of them has, the tree does not show whether the others have.
        parts = [self.folder / other.name for other in self.remotes() if other.holds == remote.holds]
        by_hand = not any(part.is_file() or _mark(part).is_file() for part in parts)
        return self._holds(remote) and (_mark(file).is_file() or by_hand)

    def _holds(self, remote: Remote) -> bool:
        return any(self.at(tree).exists() for tree in remote.holds)

    def _obtain_one(self, remote: Remote) -> None:
        folder = self.folder
        try:
            file = fetch(remote, folder, self.mirrors, self.verify, self.allow_unverified)
        except DatasetError as error:
            if (folder / remote.name).is_file():  # a different file
                raise
            raise self._missing(remote, f": {error}") from error
        if remote.holds:
            for archive in (file, *(folder / name for name in remote.inner)):
                unpack(archive, folder)
            if not self._holds(remote):
                raise DatasetError(f"{file} does not contain {remote.holds[0]}: it is not the published {remote.name}.")
            _mark(file).touch()

    def _missing(self, remote: Remote, why: str) -> DatasetError:
        tree = f", or its unpacked content as {self.folder / remote.holds[0]}" if remote.holds else ""
        return DatasetError(
            f"{self.about.name} is incomplete: {self.folder / remote.name} is missing{why}. Place the file there by "
            f"hand{tree}; it is described at {self.about.home}"
        )

    def _require_count(self, found: tuple[int, int], expected: tuple[int, int] | None, parts: str) -> None:
        """Detect an incomplete archive. Raises DatasetError."""
        if self.verify and expected and found != expected:
            raise DatasetError(
                f"{self.about.name} in {self.folder} has {found[0]:,} + {found[1]:,} {parts} where {expected[0]:,} + "
                f"{expected[1]:,} are official; remove the folder to download it again, or continue with "
                "dataset.verify=false."
            )


class Official(Published, TrainingSizes, LeakRules):
    """A published set of labelled images."""

    @abstractmethod
    def read(self, folder: Path) -> ImageSet:
        """Read the samples from the official tree in `folder`."""

    def sizes(self) -> tuple[int, int] | None:
        """Return the official numbers of samples to train and test on, in each fold; None if there are none."""
        return None

    def load(self) -> ImageSet:
        """Load the set; download what is missing. Raises DatasetError."""
        self._obtain()
        images = self.read(self.folder)
        for fold in images.folds:
            self._require_count((len(fold.train), len(fold.test)), self.sizes(), "samples to train and test on")
        return self.drawn(images if self.verify else _with_images(images))


class OfficialRetrieval(Published):
    """A published set of references and queries."""

    @abstractmethod
    def read(self, folder: Path) -> RetrievalSet:
        """Read references, queries and truths from the official tree in `folder`."""

    @abstractmethod
    def sizes(self) -> tuple[int, int] | None:
        """Return the official numbers of references and queries; None if there are none."""

    def load(self) -> RetrievalSet:
        """Load the set; download what is missing. Raises DatasetError."""
        self._obtain()
        images = self.read(self.folder)
        self._require_count((len(images.references), len(images.queries)), self.sizes(), "references and queries")
        return images


def _with_images(images: ImageSet) -> ImageSet:
    """Return a set without the classes that have no images: a copy that was cut may list them all the same."""
    if images.is_multilabel:
        return images
    used = np.unique(images.targets)
    if len(used) == len(images.classes):
        return images
    left_out = f"{len(images.classes) - len(used)} of {len(images.classes)} classes have no images and are left out."
    return replace(renumbered(images, used), notes=(*images.notes, left_out))


def _mark(archive: Path) -> Path:
    """Return the file that marks an archive as completely unpacked."""
    return archive.with_name(f"{archive.name}.unpacked")
