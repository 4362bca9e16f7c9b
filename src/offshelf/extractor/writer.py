"""From predictions to the store: chunks are gathered, checked and written, while the network goes on."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import pytorch_lightning as pl
from pytorch_lightning.callbacks import BasePredictionWriter

from offshelf.dataset import Image
from offshelf.extractor.stream import Batch
from offshelf.extractor.work import Work
from offshelf.store import FeatureKey, FeatureStore


class StoreWriter(BasePredictionWriter):
    """Puts each chunk into the store when its last batch is there, in a thread of its own, one chunk at a time."""

    def __init__(
        self, store: FeatureStore, keys: dict[tuple[str, int], FeatureKey], work: Work, images: Sequence[Image]
    ) -> None:
        """`images` for their names in messages."""
        super().__init__(write_interval="batch")
        self.store, self.keys, self.work, self.pictures = store, keys, work, images
        self.thread = ThreadPoolExecutor(1, "write")
        self.batches: list[tuple[Batch, dict[str, np.ndarray]]] = []
        self.writing: Future[None] | None = None

    def write_on_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, prediction: Any, *_: Any, **__: Any
    ) -> None:
        """Keep a batch's features; hand the chunk over when it is whole."""
        self.batches.append(prediction)
        if prediction[0].is_last:
            self._finish()
            self.writing = self.thread.submit(self._write, self.batches)
            self.batches = []

    def on_predict_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Wait for the last chunk."""
        self._finish()

    def close(self) -> None:
        """Let the chunk in writing be finished, and the thread end."""
        self.thread.shutdown(wait=True)

    def _finish(self) -> None:
        if self.writing:
            self.writing.result()

    def _write(self, batches: list[tuple[Batch, dict[str, np.ndarray]]]) -> None:
        """Write a chunk, save the images of which something could not be read or is not finite; let it go."""
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
                faults.setdefault(row, _not_finite(str(self.pictures[row]), layer))
        good = [number for row, number in place.items() if row not in faults]
        self.work.faults.update(faults)
        if good:
            images = [self.work.images[chunk.rows[number]] for number in good]
            self.store.put(images, {key: values[good] for key, values in arrays.items()})
        chunk.claim.release()


def _not_finite(name: str, layer: str) -> str:
    return (
        f"{name} gives values that are not finite at layer {layer}; try extractor.precision=float32, or other weights."
    )
