"""Jobs in processes of this machine, which share its cores and GPUs: joblib's loky, a pool of one for each place.

A pool of its own lets a process that dies take no other's work with it, and gives each place its own environment.
"""

import os
import re
import signal
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from typing_extensions import override

from offshelf.errors import ConfigError
from offshelf.launcher.launcher import Launcher, Lost, Piece, Work
from offshelf.process.cores import usable_cores
from offshelf.process.signals import GRACE_SECONDS, as_child, held_back

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


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
        idle = [Worker(*share) for share in shares(min(self.slots, len(pieces)), usable_cores(), gpus())]
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
                    yield item, future.result() if error is None else Lost(_cause(error))
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


@dataclass(eq=False)
class Worker:
    """A process that works on one piece after the other; it starts with the first."""

    cores: Sequence[int]
    gpu: str | None
    _pool: Any = field(init=False, default=None)
    _process: "Future[int]" = field(init=False)

    def submit(self, function: Callable[..., Any], *arguments: Any) -> "Future[Any]":
        """Call a function in the process."""
        if self._pool is None:
            from joblib.externals.loky import ProcessPoolExecutor

            environment = dict.fromkeys(THREAD_VARIABLES, str(len(self.cores)))
            if self.gpu is not None:
                environment["CUDA_VISIBLE_DEVICES"] = self.gpu
            ours = (os.getpid(), self.cores)
            with held_back():
                self._pool = ProcessPoolExecutor(1, env=environment, initializer=_settle, initargs=ours)
            with held_back():
                self._process = self._pool.submit(os.getpid)
        future: Future[Any] = self._pool.submit(function, *arguments)
        return future

    def again(self) -> "Worker":
        """End the process. Returns another with the same cores and GPU."""
        self.end()
        return Worker(self.cores, self.gpu)

    def terminate(self) -> None:
        """Ask the process to stop its work."""
        if self._process.done() and not self._process.exception():
            with suppress(ProcessLookupError):
                os.kill(self._process.result(), signal.SIGTERM)

    def end(self) -> None:
        """End the process and its children."""
        if self._pool is not None:
            self._pool.shutdown(kill_workers=True)


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


_AT_WORK: list[tuple[Generator[Any, None, None], int]] = []
"""In the worker: what works on its piece, and the number of items that are left."""


def begin(work: Work, piece: Piece) -> Any:
    """Run the first item of a piece, in the worker."""
    _AT_WORK.append((work(piece), len(piece)))
    return go_on()


def go_on() -> Any:
    """Run the next item of the piece, in the worker; after the last one the piece is closed."""
    results, left = _AT_WORK.pop()
    result = next(results)
    if left > 1:
        _AT_WORK.append((results, left - 1))
    else:
        results.close()
    return result


def _settle(parent: int, cores: Sequence[int]) -> None:
    """Prepare the worker: it leaves on a signal and when its parent dies, and has cores of its own."""
    as_child(parent)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)


def _cause(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"it left Python, with exit code {error.code}"
    found = re.search(r"(SIG[A-Z]+)\(-\d+\)", str(error))
    if not found:
        return f"its process died: {' '.join(str(error).split()) or type(error).__name__}"
    hint = "; if memory ran out, run fewer at once: launcher.jobs=1" if found[1] == "SIGKILL" else ""
    return f"its process died of {found[1]}{hint}"
