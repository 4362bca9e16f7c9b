"""The interface to Lightning: one pass of `Trainer.predict` over a stream of batches.

Only this module imports Lightning, because torchvision must be imported before it, and repaired if its compiled
operators do not load: Lightning's metrics import it.
"""

import logging
import signal
import threading
import warnings
from typing import Any

import numpy as np
import torch
from typing_extensions import override

from offshelf.backbone.torchvision_import import import_torchvision
from offshelf.extractor.engine import Engines
from offshelf.extractor.plan import Plan
from offshelf.extractor.progress import ExtractionProgress
from offshelf.extractor.request import Request
from offshelf.extractor.stream import Batch, Stream
from offshelf.extractor.writer import StoreWriter

import_torchvision()

import pytorch_lightning as pl  # noqa: E402
from pytorch_lightning.plugins.environments import LightningEnvironment  # type: ignore[attr-defined]  # noqa: E402


class Forward(pl.LightningModule):
    """The network as a Lightning module."""

    def __init__(self, request: Request, plan: Plan, may_fall_back: bool) -> None:
        super().__init__()
        self.engines = Engines(request, plan, may_fall_back)
        self.eager = self.engines.eager  # for Lightning to move to the device

    @override
    def predict_step(self, batch: Batch, batch_idx: int) -> tuple[Batch, dict[str, np.ndarray]]:
        """Return the batch and its features by layer, float32 [n, D]."""
        features = self.engines(batch.pixels)
        if batch.is_last:  # before the chunk is written
            self.engines.require_unchanged()
        count = len(batch.rows)
        return batch, {layer: values[:count].float().cpu().numpy() for layer, values in features.items()}

    @override
    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        return batch  # the stream has put its pixels there


def run_pass(
    forward: Forward, stream: Stream, writer: StoreWriter, progress: ExtractionProgress | None, rank: int
) -> None:
    """Run the network over all batches of the stream; `rank` chooses the GPU.

    Raises:
        KeyboardInterrupt: Ctrl-C was pressed.
    """
    trainer = _trainer(forward.engines.plan, _Receiver(writer, progress), rank)
    with warnings.catch_warnings():
        # Lightning advises on worker counts of data loaders, which a stream is not.
        warnings.filterwarnings("ignore", message=".*(many workers|persistent_workers).*")
        warnings.filterwarnings("ignore", message=".*LeafSpec.*")  # Lightning's own use of torch, since torch 2.13
        ours = signal.getsignal(signal.SIGINT)
        try:
            trainer.predict(forward, stream, return_predictions=False)
        except SystemExit as leaving:
            if isinstance(leaving.__context__, KeyboardInterrupt):  # Lightning turns Ctrl-C into exit(1)
                raise KeyboardInterrupt from None
            raise
        finally:
            if threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGINT, ours)  # after a KeyboardInterrupt Lightning ignores further ones


def device_of(plan: Plan, rank: int) -> str:
    """Return the device of the process of this rank: one of the GPUs, or the CPU."""
    return f"cuda:{rank % torch.cuda.device_count()}" if plan.device == "cuda" else "cpu"


class _Receiver(pl.Callback):
    """Hands predictions to the writer, then to the progress bar."""

    def __init__(self, writer: StoreWriter, progress: ExtractionProgress | None) -> None:
        self.writer, self.progress = writer, progress

    @override
    def on_predict_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self.progress:
            self.progress.start()

    @override
    def on_predict_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, *_: Any
    ) -> None:
        self.writer.add(*outputs)
        if self.progress:
            self.progress.advance(batch)

    @override
    def on_predict_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.writer.wait()
        if self.progress:
            self.progress.stop()

    @override
    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        if self.progress:
            self.progress.stop()


def _trainer(plan: Plan, receiver: _Receiver, rank: int) -> pl.Trainer:
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    on_gpu = plan.device == "cuda"
    return pl.Trainer(
        accelerator="gpu" if on_gpu else "cpu",
        devices=[rank % torch.cuda.device_count()] if on_gpu else 1,
        precision="bf16-mixed" if plan.precision == "bfloat16" and plan.engine == "eager" else "32-true",
        plugins=[LightningEnvironment()],  # under torchrun and Slurm too, processes do not meet
        callbacks=[receiver],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
