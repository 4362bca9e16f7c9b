"""Leaving on a signal: once, also where Python drops what the signal has raised, and children with their parent."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

from offshelf.errors import OffshelfError

RESEND_SECONDS = 0.05
"""Seconds after which a signal that was dropped is sent again."""

PATIENCE_SECONDS = 5.0
"""Seconds for which further signals do not interrupt the clean-up; after them the next one does."""

GRACE_SECONDS = 15.0
"""Seconds that a child has to leave its work, before its process is killed."""

LEAVE_SIGNALS = (signal.SIGTERM, signal.SIGHUP) if hasattr(signal, "SIGHUP") else (signal.SIGTERM,)
"""Signals to leave on; SIGHUP comes when a terminal is closed."""

_obeyed: list[tuple[float, int]] = []
"""The signal that is being obeyed, if there is one: when it came, and its number."""


def on_signals() -> None:
    """Leave with exit code 143 on SIGTERM and 129 on SIGHUP, and by KeyboardInterrupt on Ctrl-C.

    To be called in the main thread. A signal that the process was started to ignore, as by nohup, stays ignored. What
    follows within PATIENCE_SECONDS is ignored, because it would break off what is done on leaving: a key is pressed
    twice, or a signal is sent to a process and to its group.

    What a signal raises in a weak reference's callback, or in `__del__`, Python prints and forgets: the signal would be
    lost. Then it is sent again, until it is raised elsewhere.
    """
    before = sys.unraisablehook

    def dropped(what: Any) -> None:
        if _is_leaving(what.exc_value):
            _obeyed.clear()
            _again(signal.SIGINT if isinstance(what.exc_value, KeyboardInterrupt) else what.exc_value.code - 128)
        else:
            before(what)

    for number in (*LEAVE_SIGNALS, signal.SIGINT):
        if signal.getsignal(number) is not signal.SIG_IGN or number == signal.SIGTERM:
            signal.signal(number, _leave)
    sys.unraisablehook = dropped


def is_asked(error: BaseException) -> bool:
    """Return whether an exception comes of a signal that asks this process to leave, not of `sys.exit`, say.

    Any exception does once a signal is being obeyed: libraries raise one of their own in the place of the signal's.
    """
    return bool(_obeyed) or _is_leaving(error)


def obey(error: BaseException | None = None) -> None:
    """Leave if a signal has asked for that, also where other code has dropped or replaced what the signal raised.

    Args:
        error: The exception that was caught; None if there is none.

    Raises:
        BaseException: the exception itself, if it leaves because of a signal; what the signal has raised, if `error` is
            another one.
    """
    if error is not None and _is_leaving(error):
        raise error
    if _obeyed:
        raise _leaving(_obeyed[0][1]) from error


@contextmanager
def staying() -> Iterator[None]:
    """Run a block with code of others, which cannot end the process by `sys.exit` or KeyboardInterrupt.

    Raises:
        OffshelfError: it has raised what leaves Python, and no signal has asked for that.
    """
    try:
        yield
    except BaseException as error:
        obey(error)
        if not isinstance(error, SystemExit | KeyboardInterrupt | GeneratorExit):
            raise
        left = f"left Python, with exit code {error.code or 0}" if isinstance(error, SystemExit) else ""
        raise OffshelfError(
            f"Something in the run {left or f'raised {type(error).__name__}'}: a component of your own calls sys.exit "
            "or raises KeyboardInterrupt, say. The run has not come to its end."
        ) from error


@contextmanager
def undisturbed() -> Iterator[None]:
    """Delay signals for a short block that must not be interrupted; the last one is obeyed at its end.

    Those that Python does not handle, or that come while another thread than the main one is here, do what they do.
    """
    handlers: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        found = {number: signal.getsignal(number) for number in (*LEAVE_SIGNALS, signal.SIGINT)}
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


@contextmanager
def held_back() -> Iterator[None]:
    """Delay Ctrl-C and SIGHUP for a block, also in children that are started in it, until `as_child`."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def as_child(parent: int, grace: float = GRACE_SECONDS) -> None:
    """Have a child leave on SIGTERM and when its parent has died; the parent passes Ctrl-C and SIGHUP on.

    Args:
        parent: Its number.
        grace: Seconds to leave in after the parent's death.
    """
    for number in (*LEAVE_SIGNALS, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, *LEAVE_SIGNALS})
    on_signals()
    threading.Thread(target=_follow, args=(parent, grace), daemon=True).start()


def end(children: Sequence[Any]) -> None:
    """End processes of multiprocessing: each is asked to leave, and killed where it does not in GRACE_SECONDS."""
    for child in children:
        child.terminate()
    until = time.monotonic() + GRACE_SECONDS
    for child in children:
        child.join(max(0.0, until - time.monotonic()))
        if child.is_alive():
            child.kill()
            child.join()


def _leave(number: int, _: FrameType | None) -> None:
    now = time.monotonic()
    if _obeyed and now - _obeyed[0][0] > PATIENCE_SECONDS:
        os._exit(128 + number)
    if _obeyed:
        return
    _obeyed.append((now, number))
    raise _leaving(number)


def _leaving(number: int) -> BaseException:
    return KeyboardInterrupt() if number == signal.SIGINT else SystemExit(128 + number)


def _is_leaving(error: BaseException | None) -> bool:
    if isinstance(error, KeyboardInterrupt):
        return bool(_obeyed) or signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if not isinstance(error, SystemExit):
        return False
    return bool(_obeyed and error.code == 128 + _obeyed[0][1]) or _is_raised_by_a_handler(error)


def _is_raised_by_a_handler(error: BaseException) -> bool:
    """Return whether a handler that others set has raised it, as submitit's does at the time limit."""
    handlers: list[Any] = [signal.getsignal(number) for number in signal.valid_signals()]
    codes = [getattr(getattr(handler, "__func__", handler), "__code__", None) for handler in handlers]
    trace = error.__traceback__
    while trace:
        if trace.tb_frame.f_code in codes:
            return True
        trace = trace.tb_next
    return False


def _follow(parent: int, grace: float) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(grace)
    os._exit(1)


def _again(number: int) -> None:
    timer = threading.Timer(RESEND_SECONDS, os.kill, (os.getpid(), number))
    timer.daemon = True
    timer.start()
