"""Threads of the solver."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from offshelf.process.blas import one_blas_thread
from offshelf.process.cores import usable_cores
from offshelf.svm.monitor import adopt, check_stop, current

Job = TypeVar("Job")
Result = TypeVar("Result")


def run_parallel(work: Callable[[Job], Result], jobs: Iterable[Job]) -> list[Result]:
    """Run jobs in parallel, one thread per core with single-threaded BLAS; return the results in order.

    A single job runs in this thread, and keeps BLAS's own threads. All threads work for the same fit as this one.
    """
    jobs = list(jobs)
    threads = min(len(usable_cores()), len(jobs))

    def checked(job: Job) -> Result:
        check_stop()
        return work(job)

    if threads <= 1:
        return [checked(job) for job in jobs]
    with one_blas_thread(), ThreadPoolExecutor(threads, initializer=adopt, initargs=(current(),)) as pool:
        return list(pool.map(checked, jobs))
