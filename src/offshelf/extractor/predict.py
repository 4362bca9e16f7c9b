"""Forward passes in Lightning's `Trainer.predict`, with a prediction writer that fills the store chunk by chunk."""

import logging
import os
import signal
import threading
import warnings
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

from offshelf.backbone.torchvision_import import import_torchvision

import_torchvision()  # Lightning's metrics package imports torchvision where it is installed.

import pytorch_lightning as pl  # noqa: E402
import torch  # noqa: E402
from pytorch_lightning.plugins.environments import LightningEnvironment  # type: ignore[attr-defined]  # noqa: E402

from offshelf.dataset import Image, digests  # noqa: E402
from offshelf.errors import BadImagesError, ConfigError, OffshelfError  # noqa: E402
from offshelf.extractor.allocator import keep_freed_memory  # noqa: E402
from offshelf.extractor.engine import Engines  # noqa: E402
from offshelf.extractor.networks import Networks  # noqa: E402
from offshelf.extractor.plan import Plan  # noqa: E402
from offshelf.extractor.progress import ExtractionProgress  # noqa: E402
from offshelf.extractor.stream import Batch, Stream  # noqa: E402
from offshelf.extractor.work import Work  # noqa: E402
from offshelf.extractor.writer import StoreWriter  # noqa: E402
from offshelf.process.cores import usable_cores  # noqa: E402
from offshelf.process.signals import as_child, end, held_back  # noqa: E402
from offshelf.store import FeatureStore, MemoryStore  # noqa: E402

if TYPE_CHECKING:
    import numpy as np

    from offshelf.extractor.extractor import Extractor, Request


@dataclass(frozen=True)
class Worker:
    """One of the processes that share an extraction."""

    rank: int
    networks: Networks = field(default_factory=Networks)


def predict(
    extractor: "Extractor",
    images: Sequence[Image],
    request: "Request",
    store: FeatureStore,
    networks: Networks | None = None,
) -> str:
    """See Extractor.run.

    Processes need no word with each other: each takes chunks that nobody else has taken, wherever it was started.
    """
    if extractor.processes == 1:
        worker = Worker(_local_rank(), networks or Networks())
        with worker.networks.lock:
            faults, how = _predict(extractor, images, request, store, worker)
    elif isinstance(store, MemoryStore):
        raise ConfigError("Several processes cannot share store=memory; use store=disk or extractor.processes=1.")
    else:
        arguments = (extractor, images, request, store)
        results = _in_processes(extractor.processes, arguments)
        faults, how = {row: why for found, _ in results for row, why in found.items()}, results[0][1]
    if faults:
        bad = {images[row].digest: why for row, why in faults.items()}
        raise BadImagesError({row: bad[image.digest] for row, image in enumerate(images) if image.digest in bad})
    return how


def _in_processes(count: int, arguments: tuple[Any, ...]) -> list[tuple[dict[int, str], str]]:
    """Results of as many processes; none of them is left, however this ends.

    Raises:
        OffshelfError: one has died.
    """
    with held_back():
        pool = ProcessPoolExecutor(count, get_context("spawn"), initializer=as_child, initargs=(os.getpid(), 2.0))
    try:
        with held_back():  # until a child is so far that it can leave Ctrl-C to its parent
            jobs = [pool.submit(partial(_predict_alone, *arguments), rank) for rank in range(count)]
        results = [job.result() for job in jobs]
    except BaseException as error:
        end(list((pool._processes or {}).values()))
        pool.shutdown(cancel_futures=True)
        if isinstance(error, BrokenProcessPool):
            raise OffshelfError(
                "A process of the extraction has died; if memory ran out, use fewer: extractor.processes=1. The same "
                "command goes on from the features that are in the store."
            ) from error
        raise
    pool.shutdown()
    return results


def _local_rank() -> int:
    """Place among the processes of one machine, as torchrun and Slurm tell it."""
    return int(os.environ.get("LOCAL_RANK", os.environ.get("SLURM_LOCALID", 0)))


def _predict_alone(
    extractor: "Extractor", images: Sequence[Image], request: "Request", store: FeatureStore, rank: int
) -> tuple[dict[int, str], str]:
    """See _predict; in a process of its own, to which no network can be given."""
    return _predict(extractor, images, request, store, Worker(rank))


def _predict(
    extractor: "Extractor", images: Sequence[Image], request: "Request", store: FeatureStore, worker: Worker
) -> tuple[dict[int, str], str]:
    """One process's share. Returns what cannot be extracted, by row number, and how the rest was."""
    keys = request.keys(extractor)
    work = Work(store, list(keys.values()), digests(images), extractor.chunk)
    plan = extractor.plan(work.total)
    if plan.device == "cpu":
        keep_freed_memory()
    if plan.device == "cpu" and extractor.processes > 1:
        torch.set_num_threads(max(1, torch.get_num_threads() // extractor.processes))
    forward = worker.networks.get(request, plan, lambda: _Forward(request, plan, extractor.engine == "auto"))
    rank = worker.rank
    stream = Stream(
        work,
        images,
        request.views,
        request.backbone.preprocessing(),
        extractor.batch_size,
        threads=extractor.workers or len(usable_cores()),
        device=_device(plan, rank),
    )
    writer = StoreWriter(store, keys, work, images)
    progress = [ExtractionProgress(work, plan)] if rank == 0 else []
    try:
        while True:
            _run(_trainer(plan, [writer, *progress], rank), forward, stream)
            if not work.wait():
                return work.faults, str(forward.engines.plan)
    finally:
        writer.close()
        work.release()


def _run(trainer: pl.Trainer, forward: "_Forward", stream: Stream) -> None:
    with warnings.catch_warnings():
        # Advice on worker counts of loaders that this is none of.
        warnings.filterwarnings("ignore", message=".*(many workers|persistent_workers|infer the batch indices).*")
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
                signal.signal(signal.SIGINT, ours)  # after a KeyboardInterrupt Lightning ignores any more


def _device(plan: Plan, rank: int) -> str:
    """The GPU of a process, or the CPU."""
    return f"cuda:{rank % torch.cuda.device_count()}" if plan.device == "cuda" else "cpu"


def _trainer(plan: Plan, callbacks: list[pl.Callback], rank: int) -> pl.Trainer:
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    on_gpu = plan.device == "cuda"
    return pl.Trainer(
        accelerator="gpu" if on_gpu else "cpu",
        devices=[rank % torch.cuda.device_count()] if on_gpu else 1,
        precision="bf16-mixed" if plan.precision == "bfloat16" and plan.engine == "eager" else "32-true",
        plugins=[LightningEnvironment()],  # under torchrun and Slurm too, each process works for itself
        callbacks=callbacks,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


class _Forward(pl.LightningModule):
    """The network as Lightning runs it."""

    def __init__(self, request: "Request", plan: Plan, may_fall_back: bool) -> None:
        super().__init__()
        self.name, self.views = request.backbone.name, len(request.views)  # for the progress
        self.engines = Engines(request, plan, may_fall_back)
        self.eager = self.engines.eager  # for Lightning to move

    def predict_step(self, batch: Batch, batch_idx: int) -> "tuple[Batch, dict[str, np.ndarray]]":
        """The batch and its features by layer, float32 [n, D]."""
        features = self.engines(batch.pixels)
        if batch.is_last:  # before the chunk is written
            self.engines.require_unchanged()
        count = len(batch.rows)
        return batch, {layer: values[:count].float().cpu().numpy() for layer, values in features.items()}

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        """Its pixels are there already."""
        return batch
