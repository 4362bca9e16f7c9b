"""Threads of the solver, and of BLAS."""

import threading

import scipy.linalg  # noqa: F401 - its BLAS is looked at, too
from threadpoolctl import threadpool_info, threadpool_limits

from offshelf.svm.solver.threads import one_blas_thread, run_parallel


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


def blas_threads():
    """Of every BLAS."""
    return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]


def test_one_blas_thread(monkeypatch):
    """While it lasts, in every BLAS; on one core they are left alone, and need not even be looked for."""
    with threadpool_limits(2, "blas"):
        before = blas_threads()
        for cores in (2, 1):
            monkeypatch.setattr("os.sched_getaffinity", lambda _, cores=cores: set(range(cores)))
            with one_blas_thread():
                inside = blas_threads()
            assert inside == [3 - cores] * len(before)
            assert blas_threads() == before
    assert before == [2] * len(before)
    assert len(before) >= 2


def test_threads_within_threads(monkeypatch):
    """Jobs that have threads of their own have one of BLAS; one that is alone has all of BLAS's."""
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})
    with threadpool_limits(2, "blas"):
        several = run_parallel(lambda _: blas_threads(), [1, 2])
        assert run_parallel(lambda _: blas_threads(), [1]) == [blas_threads()]
    assert several == [[1] * len(threads) for threads in several]


def test_two_threads_that_overlap(monkeypatch):
    """The first to come leaves first: it does not give BLAS's threads back under the other, who does."""
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})
    with threadpool_limits(2, "blas"):
        before = blas_threads()
        first, second = one_blas_thread(), one_blas_thread()
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        inside = blas_threads()
        second.__exit__(None, None, None)
        assert blas_threads() == before
    assert inside == [1] * len(before)
