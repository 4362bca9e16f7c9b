"""Leaving on a signal, also where Python drops the exception that the signal has raised."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

AGAIN_SECONDS = 0.05
"""After which a signal that was dropped is sent again."""


LEAVING = (signal.SIGTERM, signal.SIGHUP) if hasattr(signal, "SIGHUP") else (signal.SIGTERM,)
"""Signals to leave on; SIGHUP comes when a terminal is closed."""


def on_sigterm(once: bool = False) -> None:
    """Leave with exit code 143 on SIGTERM and 129 on SIGHUP; to be called in the main thread.

    What a signal raises in a weak reference's callback, or in `__del__`, Python prints and forgets: the signal would be
    lost. Then it is sent again, until it is raised elsewhere; Ctrl-C too.

    Args:
        once: Ignore any more, which would break off what is done on leaving.
    """
    before = sys.unraisablehook

    def leave(number: int, _: object) -> NoReturn:
        if once:
            signal.signal(number, signal.SIG_IGN)
        raise SystemExit(128 + number)

    def dropped(what: Any) -> None:
        if isinstance(what.exc_value, KeyboardInterrupt):
            _again(signal.SIGINT)
        elif isinstance(what.exc_value, SystemExit) and what.exc_value.code in [128 + number for number in LEAVING]:
            number = what.exc_value.code - 128
            signal.signal(number, leave)
            _again(number)
        else:
            before(what)

    for number in LEAVING:
        if signal.getsignal(number) is not signal.SIG_IGN or number == signal.SIGTERM:  # as under nohup
            signal.signal(number, leave)
    sys.unraisablehook = dropped


@contextmanager
def undisturbed() -> Iterator[None]:
    """Signals wait meanwhile, for what takes little time and must not be broken off; the last is obeyed at the end.

    Those that Python does not handle, or that come while another thread than the main one is here, do what they do.
    """
    handlers: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        found = {number: signal.getsignal(number) for number in (*LEAVING, signal.SIGINT)}
        handlers = {number: handler for number, handler in found.items() if callable(handler)}
    came: list[int] = []
    for number in handlers:
        signal.signal(number, lambda number, _: came.append(number))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if came:
            handlers[came[-1]](came[-1], None)


def _again(number: int) -> None:
    timer = threading.Timer(AGAIN_SECONDS, os.kill, (os.getpid(), number))
    timer.daemon = True
    timer.start()
