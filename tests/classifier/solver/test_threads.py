"""Threads of the solver, and of BLAS."""

import threading

import scipy.linalg  # noqa: F401 - its BLAS is looked at, too
from threadpoolctl import threadpool_info, threadpool_limits

from offshelf.classifier.solver.threads import one_blas_thread, side_by_side


def test_jobs_in_their_order(monkeypatch):
    """In threads of their own where there are several cores and jobs, else in this one."""
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})
    here, meeting = threading.get_ident(), threading.Barrier(2, timeout=30)

    def meet(job):
        meeting.wait()  # both at a time
        return job, threading.get_ident()

    (first, one), (second, other) = side_by_side(meet, [3, 5])
    assert (first, second) == (3, 5)
    assert here not in (one, other)
    assert side_by_side(lambda job: (job, threading.get_ident()), [7]) == [(7, here)]
    assert side_by_side(meet, []) == []


def test_one_blas_thread():
    """While it lasts, in every BLAS."""

    def threads():
        return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]

    with threadpool_limits(2, "blas"):
        before = threads()
        with one_blas_thread():
            inside = threads()
        assert before == threads()
    assert before == [2] * len(before)
    assert inside == [1] * len(before)
    assert len(before) >= 2
