"""What is left to extract, in chunks that processes take one by one, each chunk by one process."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from offshelf.identity import digest
from offshelf.store import Claim, FeatureKey, FeatureStore

POLL_SECONDS = 0.2


@dataclass(frozen=True, eq=False)
class Chunk:
    """Row numbers of images to extract, int64 [n], ours until the claim is released."""

    rows: np.ndarray
    claim: Claim


class ChunkQueue:
    """The chunks of a list of images of which features are missing.

    Chunks are cut by place in the whole list, so that all processes with the same list cut alike. A pass over the work
    takes every chunk that nobody else is working on; `wait` then tells whether another pass is needed.
    """

    def __init__(self, store: FeatureStore, keys: Sequence[FeatureKey], images: Sequence[str], chunk: int) -> None:
        """`images` are digests."""
        self.store, self.keys, self.images, self.chunk = store, keys, images, chunk
        self.faults: dict[int, str] = {}
        """What cannot be extracted, by row number, and why."""
        self.total = len(self._missing())
        self.elsewhere = 0
        """Images that other processes have extracted meanwhile."""
        self._held: list[Claim] = []

    def __iter__(self) -> Iterator[Chunk]:
        for rows in self._chunks():
            claim = self._claim(rows)
            if claim is None:
                continue
            # The claim first, then the look: whoever had it before has written before letting go.
            left = rows[self.store.missing(self.keys, [self.images[row] for row in rows])]
            self.elsewhere += len(rows) - len(left)
            self._held = [each for each in self._held if each.is_held] + [claim]
            if len(left):
                yield Chunk(left, claim)
            else:
                claim.release()

    def wait(self) -> bool:
        """Wait for other processes' chunks: False when all are there, True when one was given up by a dead process."""
        while chunks := self._chunks():
            for rows in chunks:
                claim = self._claim(rows)
                if claim is not None:
                    claim.release()
                    return True
            time.sleep(POLL_SECONDS)
        return False

    def release(self) -> None:
        """Let go of all chunks: where work broke off others may have them, and this process when it tries again."""
        for claim in self._held:
            claim.release()

    def _missing(self) -> np.ndarray:
        rows = self.store.missing(self.keys, self.images)
        return rows[~np.isin(rows, list(self.faults))]

    def _chunks(self) -> list[np.ndarray]:
        rows = self._missing()
        return np.split(rows, np.flatnonzero(np.diff(rows // self.chunk)) + 1) if len(rows) else []

    def _claim(self, rows: np.ndarray) -> Claim | None:
        start = int(rows[0]) // self.chunk * self.chunk
        images = list(self.images[start : start + self.chunk])
        return self.store.claim(
            self.keys[0].network, digest({"keys": sorted(key.digest for key in self.keys), "images": images})
        )
