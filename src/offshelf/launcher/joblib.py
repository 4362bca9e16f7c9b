"""Jobs in processes of this machine, which share its cores and GPUs: joblib's loky, a pool of one for each place.

A pool of its own lets a process that dies take no other's work with it, and gives each place its own environment.
"""

import os
from collections.abc import Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from typing_extensions import override

from offshelf.errors import ConfigError
from offshelf.launcher.launcher import Launcher, Lost, Piece, Work
from offshelf.launcher.worker import Worker, begin, cause_of_death, go_on, threads
from offshelf.process.cores import usable_cores
from offshelf.process.signals import GRACE_SECONDS


@dataclass(frozen=True)
class Joblib(Launcher):
    """Launcher that runs pieces in processes of this machine."""

    jobs: int | None = None
    """Number of jobs at once; null: one per GPU or, without GPUs, one per core."""

    def __post_init__(self) -> None:
        if self.jobs is not None and (isinstance(self.jobs, bool) or not isinstance(self.jobs, int) or self.jobs < 1):
            raise ConfigError(f"launcher.jobs is a positive whole number, or null; got {self.jobs}.")

    @property
    @override
    def slots(self) -> int:
        return self.jobs or len(gpus()) or len(usable_cores())

    @override
    def run(self, pieces: Sequence[Piece], work: Work, folder: Path) -> Generator[tuple[Any, Any], None, None]:
        places = shares(min(self.slots, len(pieces)), usable_cores(), gpus())
        idle = [Worker(_environment(cores, gpu), partial(_settle, cores)) for cores, gpu in places]
        busy: dict[Future[Any], tuple[Piece, Worker]] = {}
        left = list(pieces)[::-1]
        try:
            while left or busy:
                while left and idle:
                    piece, worker = left.pop(), idle.pop(0)
                    busy[worker.submit(begin, work, piece)] = (piece, worker)
                for future in wait(busy, return_when=FIRST_COMPLETED).done:
                    (item, *rest), worker = busy.pop(future)
                    error = future.exception()
                    idle.append(worker if error is None else worker.again())
                    yield item, future.result() if error is None else Lost(_told(error))
                    if rest and error is None:
                        busy[worker.submit(go_on)] = (rest, worker)
                        idle.remove(worker)
                    elif rest:
                        left.append(rest)
        finally:
            for worker in (worker for _, worker in busy.values()):
                worker.terminate()
            wait(busy, timeout=GRACE_SECONDS)
            for worker in [*idle, *(worker for _, worker in busy.values())]:
                worker.end()


def shares(count: int, cores: Sequence[int], devices: Sequence[str]) -> list[tuple[list[int], str | None]]:
    """Divide the machine into `count` places: cores, not shared while there are enough, and a GPU for each."""
    sizes = [len(cores) // count + (place < len(cores) % count) for place in range(count)]
    starts = [sum(sizes[:place]) for place in range(count)]
    parts = [list(cores[start : start + size]) for start, size in zip(starts, sizes, strict=True)]
    return [
        (part or [cores[place % len(cores)]], devices[place % len(devices)] if devices else None)
        for place, part in enumerate(parts)
    ]


def gpus() -> list[str]:
    """Return the GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is not None:
        return [device.strip() for device in given.split(",") if device.strip()]
    from offshelf.process.gpu import has_cuda

    if not has_cuda():
        return []
    import torch

    return [str(number) for number in range(torch.cuda.device_count())]


def _environment(cores: Sequence[int], gpu: str | None) -> dict[str, str]:
    return threads(len(cores)) | ({} if gpu is None else {"CUDA_VISIBLE_DEVICES": gpu})


def _told(error: BaseException) -> str:
    hint = "; if memory ran out, run fewer at once: launcher.jobs=1" if "SIGKILL" in str(error) else ""
    return f"{cause_of_death(error)}{hint}"


def _settle(cores: Sequence[int]) -> None:
    """Give the worker cores of its own."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)
