"""The writer of features: it collects, checks and writes chunks while the network computes the next."""

from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from offshelf.dataset import Image
from offshelf.extractor.chunks import Indexed, Source
from offshelf.extractor.stream import Batch
from offshelf.store import FeatureKey, FeatureStore


class StoreWriter:
    """Writes each complete chunk to the store, one chunk at a time, in a thread of its own."""

    def __init__(
        self, store: FeatureStore, keys: dict[tuple[str, int], FeatureKey], queue: Source, images: Indexed[Image]
    ) -> None:
        """Take digests from `queue`, which receives reasons of failure; `images` are for their names in messages."""
        self.store, self.keys, self.queue, self.images = store, keys, queue, images
        self.thread = ThreadPoolExecutor(1, "write")
        self.batches: list[tuple[Batch, dict[str, np.ndarray]]] = []
        self.writing: Future[None] | None = None

    def add(self, batch: Batch, features: dict[str, np.ndarray]) -> None:
        """Take the features of a batch by layer, float32 [n, D]; write the chunk when it is complete."""
        self.batches.append((batch, features))
        if batch.is_last:
            self.wait()
            self.writing = self.thread.submit(self._write, self.batches)
            self.batches = []

    def wait(self) -> None:
        """Wait until the last chunk is written."""
        if self.writing:
            self.writing.result()

    def close(self) -> None:
        """Finish the chunk that is being written, and end the thread."""
        self.thread.shutdown(wait=True)

    def _write(self, batches: list[tuple[Batch, dict[str, np.ndarray]]]) -> None:
        """Write a chunk, except images that are unreadable or have features that are not finite; release its claim."""
        chunk = batches[0][0].chunk
        place = {row: number for number, row in enumerate(chunk.rows.tolist())}
        faults = {row: why for batch, _ in batches for row, why in batch.faults.items()}
        arrays: dict[FeatureKey, np.ndarray] = {}
        for (layer, view), key in self.keys.items():
            arrays[key] = np.zeros((len(chunk.rows), batches[0][1][layer].shape[1]), np.float32)
            for batch, features in batches:
                seen = batch.views == view
                arrays[key][[place[row] for row in batch.rows[seen].tolist()]] = features[layer][seen]
            for number in np.flatnonzero(~np.isfinite(arrays[key]).all(axis=1)):
                row = int(chunk.rows[number])
                faults.setdefault(row, _not_finite(str(self.images[row]), layer))
        good = [number for row, number in place.items() if row not in faults]
        self.queue.faults.update(faults)
        if good:
            images = [self.queue.images[chunk.rows[number]] for number in good]
            self.store.put(images, {key: values[good] for key, values in arrays.items()})
        chunk.claim.release()


def _not_finite(name: str, layer: str) -> str:
    return (
        f"{name} gives values that are not finite at layer {layer}; try extractor.precision=float32, or other weights."
    )
