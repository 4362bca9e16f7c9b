"""Samples of tar files, as WebDataset has them: members that share a key, each at its offset."""

import json
import tarfile
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from offshelf.dataset.kind import is_system
from offshelf.dataset.location import Names
from offshelf.errors import DatasetError

END = bytes(2 * tarfile.BLOCKSIZE)
"""A tar ends with two blocks of zeros."""
COMPRESSED = ((b"\x1f\x8b", "gzip"), (b"BZh", "bzip2"), (b"\xfd7zXZ", "xz"), (b"\x28\xb5\x2f\xfd", "zstd"))
MOST_TEXT = 1 << 20
"""Bytes of a member that is read for its label."""


@dataclass(frozen=True)
class Member:
    """A file in a tar."""

    name: str
    offset: int
    size: int


@dataclass
class Sample:
    """Members that share a key, by extension."""

    key: str
    members: dict[str, Member] = field(default_factory=dict)


def split_name(name: str) -> tuple[str, str]:
    """Return key and extension: the key ends at the first dot of the base name, as in WebDataset.

    `a/b.left.JPG` has the key `a/b` and the extension `left.jpg`.
    """
    folder, slash, base = name.rpartition("/")
    stem, _, extension = base.partition(".")
    return folder + slash + stem, extension.lower()


def read_members(path: Path) -> Iterator[Member]:
    """Yield the files of a tar, without links, folders and files of systems.

    Raises:
        DatasetError: It is no tar, is compressed, damaged or truncated.
    """
    try:
        with path.open("rb") as file:
            head = file.read(8)
            kind = next((name for start, name in COMPRESSED if head.startswith(start)), None)
            if kind:
                raise DatasetError(
                    f"{path} is compressed with {kind}, so that nothing in it can be read at random. Unpack it to a "
                    "plain .tar: images are compressed already."
                )
            file.seek(0)
            yield from _members(path, file)
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror or error}.") from error


def _members(path: Path, file: "tarfile._Fileobj") -> Iterator[Member]:
    try:
        with tarfile.open(fileobj=file, mode="r:") as tar:
            while (info := tar.next()) is not None:
                tar.members = []  # type: ignore[attr-defined] # else all headers stay in memory
                parts = info.name.split("/")
                if info.isreg() and not info.issparse() and not any(map(is_system, filter(None, parts))):
                    yield Member(info.name.removeprefix("./"), info.offset_data, info.size)
            end = tar.offset
    except tarfile.TarError as error:
        raise DatasetError(f"{path} is not a whole tar ({error}).") from error
    _require_end(path, file, end)


def _require_end(path: Path, file: "tarfile._Fileobj", end: int) -> None:
    """Raise DatasetError for a tar that was cut between two members, which Python's `tarfile` takes for a whole one."""
    file.seek(end)
    if file.read(len(END)) != END:
        raise DatasetError(
            f"{path} is damaged, or ends without the two empty blocks that end a tar: it was not written or copied to "
            "the end, and samples may be missing."
        )


def read_samples(path: Path) -> Iterator[Sample]:
    """Yield the samples of a tar, by their first members. Raises DatasetError, also for repeated members.

    Members are kept as numbers and one text until all are known, since those of a sample may be apart.
    """
    names, places, hashes = Names(()), Places(), array("q")
    for member in read_members(path):
        names.append(member.name)
        places.add(member)
        hashes.append(hash(split_name(member.name)[0]))
    for rows in _alike(np.frombuffer(hashes, np.int64)):
        samples: dict[str, Sample] = {}
        for row in rows:
            member = Member(names[row], places.offsets[row], places.lengths[row])
            key, extension = split_name(member.name)
            sample = samples.setdefault(key, Sample(key))
            if extension in sample.members:
                raise DatasetError(f"{path} has two members {key}.{extension}.")
            sample.members[extension] = member
        yield from samples.values()


def _alike(hashes_N: np.ndarray) -> Iterator[list[int]]:
    """Yield the rows of each hash, by their first rows."""
    order = np.argsort(hashes_N, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(hashes_N[order]) != 0][: len(order)])
    ends = np.r_[starts[1:], len(order)]
    for group in np.argsort(order[starts]):
        yield order[starts[group] : ends[group]].tolist()


class Places:
    """Offsets and sizes of members, in 16 bytes a member."""

    def __init__(self) -> None:
        self.offsets, self.lengths = array("q"), array("q")

    def add(self, member: Member) -> None:
        """Add a member."""
        self.offsets.append(member.offset)
        self.lengths.append(member.size)


class Coded:
    """Values of JSON, of which few are different, in 4 bytes each."""

    def __init__(self) -> None:
        self.codes = array("i")
        self.values: list[Any] = []
        """The different ones, in the order of their codes."""
        self._code: dict[str, int] = {}

    def append(self, value: Any) -> None:
        """Add a value."""
        key = f'"{value}' if isinstance(value, str) else json.dumps(value, sort_keys=True)
        code = self._code.setdefault(key, len(self.values))
        if code == len(self.values):
            self.values.append(value)
        self.codes.append(code)

    def numbers(self) -> np.ndarray:
        """Return the codes, int32 [N]. No value can be added after."""
        return np.frombuffer(self.codes, np.int32)


def read_text(path: Path, member: Member) -> str:
    """Return the text of a member, without surrounding spaces. Raises DatasetError."""
    if member.size > MOST_TEXT:
        raise DatasetError(f"{path}: {member.name} has {member.size:,} bytes, which is no label.")
    with path.open("rb") as file:
        file.seek(member.offset)
        data = file.read(member.size)
    try:
        return data.decode("utf-8-sig").strip()
    except UnicodeError as error:
        raise DatasetError(f"{path}: {member.name} is not a text in UTF-8.") from error
