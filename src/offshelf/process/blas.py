"""Threads of BLAS."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from threading import Lock
from typing import Any

from offshelf.process.cores import usable_cores


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Limit BLAS to one thread within the context; on one core that is so anyway.

    If several threads enter the context, the limit lasts until the last of them leaves.
    """
    if len(usable_cores()) == 1:
        yield
        return
    _limit.enter()
    try:
        yield
    finally:
        _limit.leave()


class _Limit:
    """The limit of one BLAS thread, a setting of the whole process, while any thread is inside."""

    def __init__(self) -> None:
        self.lock, self.inside = Lock(), 0
        self.limits: Any = None

    def enter(self) -> None:
        with self.lock:
            if not self.inside:
                self.limits = _controller(len(sys.modules)).limit(limits=1, user_api="blas")
            self.inside += 1

    def leave(self) -> None:
        with self.lock:
            self.inside -= 1
            if not self.inside:
                self.limits.restore_original_limits()


_limit = _Limit()


@lru_cache(maxsize=1)
def _controller(modules: int) -> Any:
    """Search for BLAS libraries again only after an import, which may bring one: it takes as long as a small fit."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
