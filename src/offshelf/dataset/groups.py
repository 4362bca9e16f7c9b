"""Groups of images that belong together: those of one patient, video, place or photographed object."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from offshelf.dataset.split_names import ALIKE, as_read, told_apart
from offshelf.errors import ConfigError, DatasetError
from offshelf.names import listed, readable


@dataclass(frozen=True, eq=False)
class Groups:
    """The group of each image of a set."""

    numbers_N: np.ndarray
    """Number of each image's group: int64 [N]."""
    names: tuple[str, ...]
    """Names of the groups, by number."""
    what: str
    """What the groups are, such as a column's name: `patient`."""

    @staticmethod
    def of(values: Sequence[str], what: str) -> "Groups":
        """Make groups of the name of each image's group."""
        names, numbers = np.unique(np.array(values, object).astype(str), return_inverse=True)
        return Groups(numbers.astype(np.int64), tuple(names.tolist()), what)

    @staticmethod
    def of_codes(codes_N: np.ndarray, values: Sequence[str], what: str) -> "Groups":
        """Make groups of the number of each image's group among different names; groups are numbered by their names."""
        names, number = np.unique(np.array(values, object).astype(str), return_inverse=True)
        return Groups(number.astype(np.int64)[codes_N], tuple(names.tolist()), what)

    def take(self, rows: np.ndarray) -> "Groups":
        """Return the groups of some images."""
        return Groups(self.numbers_N[rows], self.names, self.what)

    def among(self, rows: np.ndarray) -> int:
        """Return the number of groups of some images."""
        return len(np.unique(self.numbers_N[rows]))

    @property
    def count(self) -> int:
        """Number of groups that have an image."""
        return len(np.unique(self.numbers_N))

    def notes(self) -> list[str]:
        """Return remarks on names that may mean one group."""
        by_reading: dict[str, list[str]] = {}
        for name in self.names:
            by_reading.setdefault(as_read(name), []).append(name)
        twins = [" and ".join(map(told_apart, names)) for names in by_reading.values() if len(names) > 1]
        alike = f"Groups that differ only in {ALIKE} are separate groups: {listed(twins)}."
        alone = "Each image is a group of its own (dataset.group)."
        return ([alike] if twins else []) + ([alone] if self.count == len(self.numbers_N) else [])


@dataclass(frozen=True)
class GroupRule:
    """How the path of an image names its group: the nth folder, or what a regular expression finds."""

    given: int | str

    def __post_init__(self) -> None:
        is_kind = isinstance(self.given, int | str) and not isinstance(self.given, bool)
        if not is_kind or (isinstance(self.given, int) and self.given < 1):
            raise ConfigError(
                f"dataset.group is the number of a folder below the class folder, 1 or more, or a regular expression; "
                f"got {self.given}."
            )
        if isinstance(self.given, str):
            try:
                re.compile(self.given)
            except re.error as error:
                raise ConfigError(f"dataset.group={self.given} is not a regular expression: {error}.") from error

    def groups(self, paths: Sequence[str]) -> Groups:
        """Return the groups of images, by their paths below their class folders.

        Raises:
            DatasetError: A path names no group.
        """
        found = [self._group(path) for path in paths]
        without = [readable(path) for path, group in zip(paths, found, strict=True) if not group]
        if without:
            why = "does not match" if isinstance(self.given, str) else "is in fewer folders below its class folder"
            raise DatasetError(
                f"dataset.group={self.given}: the path of {len(without):,} of {len(found):,} image(s) {why}: "
                f"{listed(without)}. Each image needs a group."
            )
        return Groups.of([str(group) for group in found], "dataset.group")

    def _group(self, path: str) -> str | None:
        if isinstance(self.given, int):
            folders = path.split("/")[:-1]
            return "/".join(folders[: self.given]) if len(folders) >= self.given else None
        match = re.search(self.given, path)
        if not match:
            return None
        return "/".join(part or "" for part in match.groups()) if match.groups() else match[0]
