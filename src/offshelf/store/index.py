"""Where images are among shards: arrays instead of dictionaries, so that a million images take 50 MB, not 300."""

from collections.abc import Sequence

import numpy as np

from offshelf.store.shard import Shard


def digest_rows(images: Sequence[str]) -> np.ndarray:
    """Digests in hex as bytes: uint8 [N, 32]."""
    return np.frombuffer(bytes.fromhex("".join(images)), np.uint8).reshape(len(images), 32)


class Index:
    """Finds images in shards; of an image that several hold, the first shard's row, always."""

    def __init__(self, shards: Sequence[Shard]) -> None:
        """Shards in the order that decides."""
        self.shards = list(shards)
        counts = [len(shard.images) for shard in self.shards]
        digests = np.concatenate([np.empty((0, 32), np.uint8), *(shard.images for shard in self.shards)])
        heads = _heads(digests)
        order = np.argsort(heads, kind="stable")
        self._heads, self._digests = heads[order], digests[order]
        self._shard = np.repeat(np.arange(len(counts), dtype=np.int32), counts)[order]
        self._row = np.concatenate([np.empty(0, np.int32), *(np.arange(n, dtype=np.int32) for n in counts)])[order]

    def find(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Shard and row number of each image, uint8 [N, 32]: int32 [N] each, -1 where there is none."""
        shard, row = np.full(len(images), -1, np.int32), np.full(len(images), -1, np.int32)
        if len(self._heads):
            place = np.minimum(np.searchsorted(self._heads, _heads(images)), len(self._heads) - 1)
            found = (self._digests[place] == images).all(axis=1)
            shard[found], row[found] = self._shard[place[found]], self._row[place[found]]
        return shard, row


def _heads(digests: np.ndarray) -> np.ndarray:
    """The first eight bytes of SHA-256 digests as numbers: enough to sort by; equality is of all 32."""
    return np.ascontiguousarray(digests[:, :8]).view(np.uint64).reshape(-1)
