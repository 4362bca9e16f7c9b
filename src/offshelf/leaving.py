"""Leaving on a signal, also where Python drops the exception that the signal has raised."""

import os
import signal
import sys
import threading
from typing import Any, NoReturn

AGAIN_SECONDS = 0.05
"""After which a signal that was dropped is sent again."""


def on_sigterm(once: bool = False) -> None:
    """Leave with exit code 143 on SIGTERM; to be called in the main thread.

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
        elif isinstance(what.exc_value, SystemExit) and what.exc_value.code == 128 + signal.SIGTERM:
            signal.signal(signal.SIGTERM, leave)
            _again(signal.SIGTERM)
        else:
            before(what)

    signal.signal(signal.SIGTERM, leave)
    sys.unraisablehook = dropped


def _again(number: int) -> None:
    timer = threading.Timer(AGAIN_SECONDS, os.kill, (os.getpid(), number))
    timer.daemon = True
    timer.start()
