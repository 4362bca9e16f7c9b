"""Threads of the solver."""

import threading

from blas import blas_threads
from threadpoolctl import threadpool_limits

from offshelf.svm.solver.threads import run_parallel


def test_jobs_in_their_order(monkeypatch):
    """In threads of their own where there are several cores and jobs, else in this one."""
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})
    here, meeting = threading.get_ident(), threading.Barrier(2, timeout=30)

    def meet(job):
        meeting.wait()  # both at a time
        return job, threading.get_ident()

    (first, one), (second, other) = run_parallel(meet, [3, 5])
    assert (first, second) == (3, 5)
    assert here not in (one, other)
    assert run_parallel(lambda job: (job, threading.get_ident()), [7]) == [(7, here)]
    assert run_parallel(meet, []) == []


def test_threads_within_threads(monkeypatch):
    """Jobs that have threads of their own have one of BLAS; one that is alone has all of BLAS's."""
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})
    with threadpool_limits(2, "blas"):
        several = run_parallel(lambda _: blas_threads(), [1, 2])
        assert run_parallel(lambda _: blas_threads(), [1]) == [blas_threads()]
    assert several == [[1] * len(threads) for threads in several]
