"""Threads: of BLAS, and of the solver itself."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from typing import Any, TypeVar

from offshelf.cores import usable_cores

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


def one_blas_thread() -> AbstractContextManager[Any]:
    """While it lasts, products take one thread; on one core they do so anyway."""
    return _controller().limit(limits=1, user_api="blas") if len(usable_cores()) > 1 else nullcontext()


@cache
def _controller() -> Any:
    """Libraries are looked for once: that takes milliseconds, as long as a small fit."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
