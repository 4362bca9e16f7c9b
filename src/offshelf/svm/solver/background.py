"""Iteration in a thread of its own, so that the caller can be interrupted while compiled code or BLAS runs.

Python handles signals in the main thread, between two instructions of Python: not during a product of large matrices.
So the main thread waits, and a daemon thread works. After an exception in the waiting thread, such as that of Ctrl-C,
the worker is asked to stop, which all of its loops obey within some tenths of a second.
"""

import atexit
import os
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from contextvars import copy_context
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, TypeVar

from offshelf.svm.monitor import Monitor

T = TypeVar("T")
_Answer = tuple[str, object]

TICK_SECONDS = 0.2
"""Seconds between two calls of `Monitor.tick`."""
PATIENCE_SECONDS = 0.7
"""Seconds for which a caller that was interrupted waits for the worker."""

_left_behind: list[Thread] = []
"""Workers that did not end in time: in a routine of LAPACK, which cannot be interrupted."""


def in_background(make: Callable[[], Generator[T, None, None]], monitor: Monitor) -> Iterator[T]:
    """Yield what a generator yields, each item computed in another thread while this one waits.

    Nothing is computed ahead: the worker is idle while the caller uses an item.
    """
    asked, answers = SimpleQueue[bool](), SimpleQueue[_Answer]()
    worker = Thread(target=copy_context().run, args=(_serve, make, asked, answers), name="svm", daemon=True)
    worker.start()
    try:
        while True:
            asked.put(True)
            kind, answer = _wait(answers, monitor)
            if kind == "item":
                yield answer  # type: ignore[misc]
            elif kind == "error":
                raise answer  # type: ignore[misc]
            else:
                return
    finally:
        monitor.stop()
        asked.put(False)
        _end(worker)


def leave(code: Any) -> None:
    """End the process now if a worker is left behind; to be called when it ends anyway.

    Python would wait for the worker. The functions of `atexit` are called, and the streams are flushed.
    """
    alive = [worker for worker in _left_behind if worker.is_alive()]
    if alive and isinstance(code, int):
        for worker in alive:
            atexit.unregister(worker.join)
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)


def _serve(
    make: Callable[[], Generator[T, None, None]], asked: "SimpleQueue[bool]", answers: "SimpleQueue[_Answer]"
) -> None:
    generator = make()
    try:
        while asked.get():
            answers.put(("item", next(generator)))
    except StopIteration:
        answers.put(("end", None))
    except BaseException as error:
        answers.put(("error", error))
    finally:
        generator.close()


def _wait(answers: "SimpleQueue[_Answer]", monitor: Monitor) -> _Answer:
    while True:
        try:
            return answers.get(timeout=TICK_SECONDS)
        except Empty:
            monitor.tick()


def _end(worker: Thread) -> None:
    worker.join(PATIENCE_SECONDS)
    if worker.is_alive():  # Python must not end under a routine of BLAS: some of them never return then
        _left_behind[:] = [other for other in _left_behind if other.is_alive()]
        _left_behind.append(worker)
        atexit.register(worker.join)
