"""Forward passes in Lightning's `Trainer.predict`, with a prediction writer that fills the store chunk by chunk."""

import logging
import warnings
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

from offshelf.torchvision_import import import_torchvision

import_torchvision()  # Lightning's metrics package imports torchvision where it is installed.

import numpy as np  # noqa: E402
import pytorch_lightning as pl  # noqa: E402
import torch  # noqa: E402
from pytorch_lightning.callbacks import BasePredictionWriter  # noqa: E402
from torch.utils.data import DataLoader, Dataset  # noqa: E402

from offshelf.dataset import Image  # noqa: E402
from offshelf.errors import ConfigError  # noqa: E402
from offshelf.extractor.progress import ExtractionProgress  # noqa: E402
from offshelf.store import FeatureKey, FeatureStore, MemoryStore  # noqa: E402

if TYPE_CHECKING:
    from offshelf.extractor.extractor import Extractor, Request

Batch = tuple[torch.Tensor, torch.Tensor]


def predict(extractor: "Extractor", images: Sequence[Image], request: "Request", store: FeatureStore) -> None:
    """Extract the request's features of the images into the store, in as many processes as the extractor says.

    Processes need no word with each other: each takes every n-th image and writes shards of its own.
    """
    if extractor.processes == 1:
        return _predict_part(extractor, images, request, store, 0)
    if isinstance(store, MemoryStore):
        raise ConfigError("Several processes cannot share store=memory; use store=disk or extractor.processes=1.")
    parts = [images[rank :: extractor.processes] for rank in range(extractor.processes)]
    with ProcessPoolExecutor(extractor.processes, get_context("spawn")) as pool:
        jobs = [pool.submit(_predict_part, extractor, part, request, store, rank) for rank, part in enumerate(parts)]
        for job in jobs:
            job.result()


def _predict_part(
    extractor: "Extractor", images: Sequence[Image], request: "Request", store: FeatureStore, rank: int
) -> None:
    writer = _StoreWriter(store, request.keys(extractor), [image.digest for image in images], extractor.chunk)
    progress = [ExtractionProgress(len(images), extractor.processes)] if rank == 0 else []
    loader = DataLoader(
        _Views(images, request),
        batch_size=extractor.batch_size,
        num_workers=extractor.workers,
        multiprocessing_context="spawn" if extractor.workers else None,
    )
    with warnings.catch_warnings():
        # Advice on worker counts; offshelf states its own defaults.
        warnings.filterwarnings("ignore", message=".*(many workers|persistent_workers).*")
        warnings.filterwarnings("ignore", message=".*LeafSpec.*")  # Lightning's own use of torch, since torch 2.13
        trainer = _trainer(extractor, [writer, *progress], rank)
        try:
            trainer.predict(_Forward(request), loader, return_predictions=False)
        except SystemExit as leaving:
            if isinstance(leaving.__context__, KeyboardInterrupt):  # Lightning turns Ctrl-C into exit(1)
                raise KeyboardInterrupt from None
            raise


def _trainer(extractor: "Extractor", callbacks: list[pl.Callback], rank: int) -> pl.Trainer:
    if extractor.device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("extractor.device=cuda, but no CUDA device is to be had; use extractor.device=auto.")
    on_gpu = extractor.device != "cpu" and torch.cuda.is_available()
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    return pl.Trainer(
        accelerator="gpu" if on_gpu else "cpu",
        devices=[rank % torch.cuda.device_count()] if on_gpu else 1,
        precision="bf16-mixed" if extractor.precision == "bfloat16" else "32-true",
        callbacks=callbacks,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


class _Views(Dataset[tuple[int, np.ndarray]]):
    """Images as stacks of views, uint8 [V, H, W, 3], each with its row number: decoded once for all views."""

    def __init__(self, images: Sequence[Image], request: "Request") -> None:
        self.images = images
        self.views = request.views
        self.preprocessing = request.backbone.preprocessing()

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, row: int) -> tuple[int, np.ndarray]:
        pixels = self.images[row].load()
        return row, np.stack([view.apply(pixels, self.preprocessing) for view in self.views])


class _Forward(pl.LightningModule):
    """The network as Lightning runs it: normalises on the device, then taps all asked layers in one pass."""

    def __init__(self, request: "Request") -> None:
        super().__init__()
        self.request = request
        self.network = request.backbone.load()
        preprocessing = request.backbone.preprocessing()
        self.mean: torch.Tensor
        self.std: torch.Tensor
        self.register_buffer("mean", torch.tensor(preprocessing.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(preprocessing.std).view(1, 3, 1, 1), persistent=False)

    def predict_step(self, batch: Batch, batch_idx: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Row numbers [B] and features by layer, float32 [B, V, D]."""
        rows, pixels = batch  # [B], uint8 [B, V, H, W, 3]
        count, views = pixels.shape[:2]
        images = pixels.flatten(0, 1).permute(0, 3, 1, 2).float() / 255
        outputs = self.network.features((images - self.mean) / self.std, self.request.layers, self.request.pooling)
        features = {layer: values.float().reshape(count, views, -1).cpu().numpy() for layer, values in outputs.items()}
        return rows.cpu().numpy(), features


class _StoreWriter(BasePredictionWriter):
    """Collects predictions and puts them into the store a chunk at a time."""

    def __init__(
        self, store: FeatureStore, keys: dict[tuple[str, int], FeatureKey], images: list[str], chunk: int
    ) -> None:
        super().__init__(write_interval="batch")
        self.store, self.keys, self.images, self.chunk = store, keys, images, chunk
        self.waiting: list[tuple[np.ndarray, dict[str, np.ndarray]]] = []

    def write_on_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, prediction: Any, *_: Any, **__: Any
    ) -> None:
        """Keep a batch's features; write when a chunk is full."""
        self.waiting.append(prediction)
        if sum(len(rows) for rows, _ in self.waiting) >= self.chunk:
            self._write()

    def on_predict_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Write what is left."""
        if self.waiting:
            self._write()

    def _write(self) -> None:
        rows = np.concatenate([rows for rows, _ in self.waiting])
        features = {
            key: np.concatenate([values[layer][:, view] for _, values in self.waiting])
            for (layer, view), key in self.keys.items()
        }
        self.store.put([self.images[row] for row in rows], features)
        self.waiting.clear()
