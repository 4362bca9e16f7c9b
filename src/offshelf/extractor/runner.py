"""The runner of an extraction: in this process, or in several that share the chunks."""

import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from typing import Any

import torch

from offshelf.dataset import Image, digests
from offshelf.errors import ConfigError, OffshelfError
from offshelf.extractor.allocator import keep_freed_memory
from offshelf.extractor.chunks import ChunkQueue, require_none
from offshelf.extractor.extractor import Extractor
from offshelf.extractor.lightning import Forward, device_of, run_pass
from offshelf.extractor.networks import Networks
from offshelf.extractor.progress import ExtractionProgress
from offshelf.extractor.request import Request
from offshelf.extractor.stream import Stream
from offshelf.extractor.writer import StoreWriter
from offshelf.process.cores import usable_cores
from offshelf.process.signals import as_child, end, held_back
from offshelf.store import FeatureStore, MemoryStore


@dataclass(frozen=True)
class ExtractionProcess:
    """One of the processes that share an extraction."""

    rank: int
    networks: Networks = field(default_factory=Networks)


def predict(
    extractor: Extractor,
    images: Sequence[Image],
    request: Request,
    store: FeatureStore,
    networks: Networks | None = None,
) -> str:
    """Extract the request's features of the images that lack them into the store, and decode each image once.

    Several processes do not communicate: each takes chunks that no other process has taken, wherever it was started.

    Args:
        extractor: The settings.
        images: All images; those that the store has are skipped.
        request: The features to extract.
        store: The store that receives the features.
        networks: The network is taken from here, and left here for the next call. Several processes do not use it.

    Returns:
        Device, precision and engine that were used.

    Raises:
        BadImagesError: Images cannot be read. The features of all others are in the store.
    """
    if extractor.processes == 1:
        process = ExtractionProcess(_local_rank(), networks or Networks())
        with process.networks.lock:
            faults, how = _predict(extractor, images, request, store, process)
    elif isinstance(store, MemoryStore):
        raise ConfigError("Several processes cannot share store=memory; use store=disk or extractor.processes=1.")
    else:
        arguments = (extractor, images, request, store)
        results = _in_processes(extractor.processes, arguments)
        faults, how = {row: why for found, _ in results for row, why in found.items()}, results[0][1]
    require_none(faults, images)
    return how


def _in_processes(count: int, arguments: tuple[Any, ...]) -> list[tuple[dict[int, str], str]]:
    """Return the results of `count` processes, none of which is left running, however this ends.

    Raises:
        OffshelfError: A process has died.
    """
    with held_back():
        pool = ProcessPoolExecutor(count, get_context("spawn"), initializer=as_child, initargs=(os.getpid(), 2.0))
    try:
        with held_back():  # until a child has started far enough to leave Ctrl-C to its parent
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
    """Return the rank among the processes of one machine, as torchrun and Slurm set it."""
    return int(os.environ.get("LOCAL_RANK", os.environ.get("SLURM_LOCALID", 0)))


def _predict_alone(
    extractor: Extractor, images: Sequence[Image], request: Request, store: FeatureStore, rank: int
) -> tuple[dict[int, str], str]:
    """Call `_predict` in a process of its own, to which no network can be passed."""
    return _predict(extractor, images, request, store, ExtractionProcess(rank))


def _predict(
    extractor: Extractor,
    images: Sequence[Image],
    request: Request,
    store: FeatureStore,
    process: ExtractionProcess,
) -> tuple[dict[int, str], str]:
    """Do one process's share. Return what cannot be extracted, by row number, and how the rest was."""
    keys = request.keys(extractor)
    queue = ChunkQueue(store, list(keys.values()), digests(images), extractor.chunk)
    plan = extractor.plan(queue.total, request.backbone)
    if plan.device == "cpu":
        keep_freed_memory()
    if plan.device == "cpu" and extractor.processes > 1:
        torch.set_num_threads(max(1, torch.get_num_threads() // extractor.processes))
    forward = process.networks.get(request, plan, lambda: Forward(request, plan, extractor.engine == "auto"))
    rank = process.rank
    stream = Stream(
        queue,
        images,
        request.views,
        request.backbone.preprocessing(),
        extractor.batch_size,
        threads=extractor.workers or len(usable_cores()),
        device=device_of(plan, rank),
    )
    writer = StoreWriter(store, keys, queue, images)
    progress = ExtractionProgress(queue, str(plan), request) if rank == 0 else None
    try:
        while True:
            run_pass(forward, stream, writer, progress, rank)
            if not queue.wait():
                return queue.faults, str(forward.engines.plan)
    finally:
        writer.close()
        queue.release()
