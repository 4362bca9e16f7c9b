"""Threads of BLAS."""

from blas import blas_threads
from threadpoolctl import threadpool_limits

from offshelf.process.blas import one_blas_thread


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
