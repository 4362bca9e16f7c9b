"""The images that are left to extract, in chunks. Each chunk is taken by one process."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np

from offshelf.dataset import Image
from offshelf.errors import BadImagesError
from offshelf.identity import digest
from offshelf.store import Claim, FeatureKey, FeatureStore

POLL_SECONDS = 0.2

T_co = TypeVar("T_co", covariant=True)


class Indexed(Protocol[T_co]):
    """Things by row number."""

    def __getitem__(self, row: int, /) -> T_co:
        """Return one of them."""


class Source(Protocol):
    """Where the chunks of an extraction come from."""

    @property
    def images(self) -> Indexed[str]:
        """Digests of images by row number."""

    @property
    def faults(self) -> dict[int, str]:
        """Reasons why images cannot be extracted, by row number; the writer adds to them."""


@dataclass(frozen=True, eq=False)
class Chunk:
    """Row numbers of images to extract, int64 [n]. They belong to this process until the claim is released."""

    rows: np.ndarray
    claim: Claim


class ChunkQueue:
    """The chunks of a list of images whose features are missing.

    Chunks are cut by position in the whole list, so that all processes with the same list cut alike. One iteration
    takes every chunk that no other process is working on; `wait` then tells whether another iteration is needed.
    """

    def __init__(self, store: FeatureStore, keys: Sequence[FeatureKey], images: Sequence[str], chunk: int) -> None:
        """Take the digests of the images."""
        self.store, self.keys, self.images, self.chunk = store, keys, images, chunk
        self.faults: dict[int, str] = {}
        """Reasons why images cannot be extracted, by row number."""
        self.total = len(self._missing())
        self.elsewhere = 0
        """Number of images that other processes have extracted in the meantime."""
        self._held: list[Claim] = []

    def __iter__(self) -> Iterator[Chunk]:
        for rows in self._chunks():
            claim = self._claim(rows)
            if claim is None:
                continue
            # Claim first, then look: a previous holder has written its features before it released the claim.
            left = rows[self.store.missing(self.keys, [self.images[row] for row in rows])]
            self.elsewhere += len(rows) - len(left)
            self._held = [each for each in self._held if each.is_held] + [claim]
            if len(left):
                yield Chunk(left, claim)
            else:
                claim.release()

    def wait(self) -> bool:
        """Wait for other processes' chunks. Return False when all are written, True when a dead process left one."""
        while chunks := self._chunks():
            for rows in chunks:
                claim = self._claim(rows)
                if claim is not None:
                    claim.release()
                    return True
            time.sleep(POLL_SECONDS)
        return False

    def release(self) -> None:
        """Release all chunks: after an interruption other processes, or this one on a new attempt, may take them."""
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


def require_none(faults: Mapping[int, str], images: Sequence[Image]) -> None:
    """Raise BadImagesError if there are images that cannot be extracted; copies of them count, too."""
    if faults:
        bad = {images[row].digest: why for row, why in faults.items()}
        raise BadImagesError({row: bad[image.digest] for row, image in enumerate(images) if image.digest in bad})
