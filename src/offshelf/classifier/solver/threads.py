"""Threads: of BLAS, and of the solver itself."""

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import cache
from typing import Any, TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")


def side_by_side(work: Callable[[Job], Result], jobs: Iterable[Job]) -> list[Result]:
    """What each job gives, in their order: a thread a core, none for a single job, which would wait for it."""
    jobs = list(jobs)
    threads = min(len(os.sched_getaffinity(0)), len(jobs))
    if threads <= 1:
        return [work(job) for job in jobs]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, jobs))


def one_blas_thread() -> AbstractContextManager[Any]:
    """While it lasts, products take one thread."""
    return _controller().limit(limits=1, user_api="blas")


@cache
def _controller() -> Any:
    """Libraries are looked for once: that takes milliseconds, as long as a small fit."""
    import scipy.linalg  # noqa: F401 - has a BLAS of its own beside NumPy's
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
