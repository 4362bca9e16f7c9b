"""Threads: of BLAS, and of the solver itself."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import Any, TypeVar

from offshelf.process.cores import usable_cores

Job = TypeVar("Job")
Result = TypeVar("Result")


def side_by_side(work: Callable[[Job], Result], jobs: Iterable[Job]) -> list[Result]:
    """What each job gives, in their order: a thread a core, and one of BLAS in each; a single job has BLAS's own."""
    jobs = list(jobs)
    threads = min(len(usable_cores()), len(jobs))
    if threads <= 1:
        return [work(job) for job in jobs]
    with one_blas_thread(), ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, jobs))


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """While it lasts, products take one thread; on one core they do so anyway.

    In several threads at once it lasts until the last of them leaves, and then BLAS has the threads that it had.
    """
    if len(usable_cores()) == 1:
        yield
        return
    _held.enter()
    try:
        yield
    finally:
        _held.leave()


class _Held:
    """BLAS held to one thread, which is a setting of the whole process, while anyone is inside."""

    def __init__(self) -> None:
        self.lock, self.inside = Lock(), 0
        self.limits: Any = None

    def enter(self) -> None:
        with self.lock:
            if not self.inside:
                self.limits = _controller().limit(limits=1, user_api="blas")
            self.inside += 1

    def leave(self) -> None:
        with self.lock:
            self.inside -= 1
            if not self.inside:
                self.limits.restore_original_limits()


_held = _Held()


@cache
def _controller() -> Any:
    """Libraries are looked for once: that takes milliseconds, as long as a small fit."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
