"""Indices of images in shards, as arrays instead of dictionaries: a million images take 50 MB instead of 300."""

from collections.abc import Iterable, Sequence

import numpy as np

from offshelf.identity import Digests
from offshelf.store.shard import Shard

BLOCK = 65536
"""Digests converted to bytes at once: the strings of all would take twice the memory of the bytes."""


def digest_rows(images: Sequence[str]) -> np.ndarray:
    """Convert hexadecimal digests to bytes, uint8 [N, 32]."""
    if isinstance(images, Digests):
        return images.rows_N32
    rows = np.empty((len(images), 32), np.uint8)
    for start in range(0, len(images), BLOCK):
        block = images[start : start + BLOCK]
        rows[start : start + BLOCK] = np.frombuffer(bytes.fromhex("".join(block)), np.uint8).reshape(-1, 32)
    return rows


class Index:
    """An index of images in shards. For an image that several shards hold, it returns the first shard's row."""

    def __init__(self, shards: Sequence[Shard]) -> None:
        """Take shards in order of precedence."""
        self.shards = list(shards)
        counts = [len(shard.images) for shard in self.shards]
        digests = np.concatenate([np.empty((0, 32), np.uint8), *(shard.images for shard in self.shards)])
        heads = _heads(digests)
        order = np.argsort(heads)
        if (heads[order[1:]] == heads[order[:-1]]).any():  # repeats need the slower stable sort
            order = np.argsort(heads, kind="stable")
        self._heads, self._digests = heads[order], _words(digests)[order]
        self._shard = np.repeat(np.arange(len(counts), dtype=np.int32), counts)[order]
        self._row = np.concatenate([np.empty(0, np.int32), *(np.arange(n, dtype=np.int32) for n in counts)])[order]

    def __len__(self) -> int:
        return len(self._heads)

    def find(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return shard and row number of each image, uint8 [N, 32]: int32 [N] each, -1 if there is none."""
        shard, row = np.full(len(images), -1, np.int32), np.full(len(images), -1, np.int32)
        if len(self._heads):
            heads = _heads(images)
            order = np.argsort(heads)  # in sorted order the index is read from front to back
            place = np.minimum(np.searchsorted(self._heads, heads[order]), len(self._heads) - 1)
            found = (self._digests[place] == _words(images)[order]).all(axis=1)
            shard[order[found]], row[order[found]] = self._shard[place[found]], self._row[place[found]]
        return shard, row


class GrowingIndex:
    """An index of shards that are added one by one.

    It consists of parts, each at least twice as long as the next. Adding a shard therefore costs a share of a sort, and
    a million images take the memory of one index.
    """

    def __init__(self) -> None:
        self.parts: list[Index] = []

    def add(self, shards: Iterable[Shard]) -> None:
        """Add shards."""
        new = list(shards)
        while self.parts and len(self.parts[-1]) < 2 * sum(len(shard.images) for shard in new):
            new += self.parts.pop().shards
        self.parts.append(Index(sorted(new, key=_name)))


def find(parts: Sequence[Index], images: np.ndarray) -> tuple[list[Shard], np.ndarray, np.ndarray]:
    """Return shards and, for each image, uint8 [N, 32], shard number and row: int32 [N] each, -1 if there is none.

    For an image that several shards hold, the first shard by name counts, in whatever order they were added.
    """
    shards = [shard for part in parts for shard in part.shards]
    number, row = np.full(len(images), -1, np.int32), np.full(len(images), -1, np.int32)
    start = 0
    for part in parts:
        other, place = part.find(images)
        other[other >= 0] += start
        better = (other >= 0) & (number < 0)
        both = np.flatnonzero((other >= 0) & (number >= 0))
        if len(both):
            rank = _rank(shards)
            better[both] = rank[other[both]] < rank[number[both]]
        number[better], row[better] = other[better], place[better]
        start += len(part.shards)
    return shards, number, row


def _rank(shards: Sequence[Shard]) -> np.ndarray:
    """Return positions in the order of names, int64 [n]."""
    rank = np.empty(len(shards), np.int64)
    rank[sorted(range(len(shards)), key=lambda number: _name(shards[number]))] = np.arange(len(shards))
    return rank


def _name(shard: Shard) -> str:
    return shard.path.name


def _heads(digests: np.ndarray) -> np.ndarray:
    """Return the first eight bytes of SHA-256 digests as numbers, for sorting; equality compares all 32."""
    return np.ascontiguousarray(_words(digests)[:, 0])


def _words(digests: np.ndarray) -> np.ndarray:
    """Return the same bytes as uint64 [N, 4], which compare faster."""
    return np.ascontiguousarray(digests).view(np.uint64)
