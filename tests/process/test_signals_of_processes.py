"""Signals, in processes of their own."""

import signal
import subprocess
import sys
import textwrap

import pytest


def run(code):
    """Exit code, output and errors."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60, check=False
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("place", ["callback", "__del__"])
def test_a_signal_that_python_drops_comes_again(place):
    """Raised where exceptions are only printed: the process leaves all the same, and prints nothing."""
    code = f"""
        import os, signal, time, weakref
        from offshelf.process.signals import on_signals

        class Thing:
            def __del__(self):
                if {place == "__del__"}:
                    os.kill(os.getpid(), signal.SIGTERM)

        def callback(_):
            os.kill(os.getpid(), signal.SIGTERM)

        on_signals()
        thing = Thing()
        watched = weakref.ref(thing, callback) if {place == "callback"} else None
        del thing
        print("lost at first", flush=True)
        time.sleep(30)
        print("lost for good")
    """
    assert run(code) == (128 + signal.SIGTERM, "lost at first\n", "")


def test_ctrl_c_that_python_drops_comes_again():
    """The same."""
    code = """
        import os, signal, time
        from offshelf.process.signals import on_signals

        class Thing:
            def __del__(self):
                os.kill(os.getpid(), signal.SIGINT)

        on_signals()
        thing = Thing()
        try:
            del thing
            time.sleep(30)
        except KeyboardInterrupt:
            print("interrupted")
    """
    assert run(code) == (0, "interrupted\n", "")


@pytest.mark.parametrize("first", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_second_signal_breaks_nothing_off(first, second):
    """What the first began is done: runs are closed."""
    code = f"""
        import os, time
        from offshelf.process.signals import on_signals

        on_signals()
        try:
            os.kill(os.getpid(), {int(first)})
        except KeyboardInterrupt:
            os.kill(os.getpid(), {int(second)})
            print("put away")
            raise SystemExit(130)
        finally:
            os.kill(os.getpid(), {int(second)})
            time.sleep(0.05)
            print("put away", flush=True)
    """
    code, output, errors = run(code)

    assert code == 128 + first
    assert output.splitlines()[-1] == "put away"
    assert errors == ""


def test_impatience_is_obeyed_in_the_end():
    """A process that hangs while it leaves can be ended by the same signal."""
    code = """
        import os, signal, time
        from offshelf.process import signals as leaving

        leaving.PATIENCE_SECONDS = 0.1
        leaving.on_signals()
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            time.sleep(0.2)
            os.kill(os.getpid(), signal.SIGTERM)
            print("still here", flush=True)
    """
    assert run(code) == (128 + signal.SIGTERM, "", "")


def test_ignored_signals_stay_ignored():
    """As those that nohup and a shell's background jobs were started to ignore."""
    code = """
        import os, signal
        from offshelf.process.signals import on_signals

        for number in (signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        on_signals()
        for number in (signal.SIGHUP, signal.SIGINT):
            os.kill(os.getpid(), number)
        print("goes on")
    """
    assert run(code) == (0, "goes on\n", "")


def test_who_asks_to_leave():
    """A signal, not `sys.exit` nor KeyboardInterrupt raised in some code."""
    code = """
        import os, signal, sys
        from offshelf.process.signals import is_asked, on_signals

        def interrupt():
            raise KeyboardInterrupt

        on_signals()
        for leave in (lambda: sys.exit(143), interrupt):
            try:
                leave()
            except BaseException as error:
                print(is_asked(error))
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except SystemExit as error:
            print(is_asked(error))
    """
    assert run(code) == (0, "False\nFalse\nTrue\n", "")


def test_handlers_of_others_ask_too():
    """As submitit's, by which a job of a cluster learns that its time is up."""
    code = """
        import os, signal, sys
        from offshelf.process.signals import is_asked, on_signals

        class Handler:
            def checkpoint(self, number, frame):
                sys.exit(-1)

        on_signals()
        signal.signal(signal.SIGUSR2, Handler().checkpoint)
        try:
            os.kill(os.getpid(), signal.SIGUSR2)
        except SystemExit as error:
            print(is_asked(error))
    """
    assert run(code) == (0, "True\n", "")


def test_other_errors_are_told_as_before():
    """Of a `__del__` that is at fault itself."""
    code = """
        from offshelf.process.signals import on_signals

        class Thing:
            def __del__(self):
                raise ValueError("its own")

        on_signals()
        Thing()
    """
    code, _, errors = run(code)
    assert code == 0
    assert "ValueError: its own" in errors


@pytest.mark.parametrize(
    ("left", "said"),
    [("sys.exit(0)", "left Python, with exit code 0"), ("raise KeyboardInterrupt", "raised KeyboardInterrupt")],
)
def test_what_nobody_has_asked_for_is_an_error(left, said):
    """Code of others neither ends the process nor passes for Ctrl-C."""
    code = f"""
        import sys
        from offshelf.errors import OffshelfError
        from offshelf.process.signals import on_signals, staying

        on_signals()
        try:
            with staying():
                {left}
        except OffshelfError as error:
            print(error)
    """
    number, output, errors = run(code)
    assert (number, errors) == (0, "")
    assert f"Something in the run {said}: " in output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_obeyed_within_code_of_others(number):
    """It is passed on."""
    code = f"""
        import os
        from offshelf.process.signals import on_signals, staying

        on_signals()
        try:
            with staying():
                os.kill(os.getpid(), {number.value})
        except BaseException as error:
            print(type(error).__name__)
    """
    expected = "KeyboardInterrupt" if number == signal.SIGINT else "SystemExit"
    assert run(code) == (0, f"{expected}\n", "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("then", ["raise ValueError('not read')", "pass"])
def test_what_a_signal_raises_may_be_replaced_or_dropped(number, then):
    """By a library that catches whatever is raised: the process leaves all the same."""
    code = f"""
        import os
        from offshelf.process.signals import is_asked, obey, on_signals

        on_signals()
        caught = None
        try:
            try:
                os.kill(os.getpid(), {number.value})
            except BaseException:
                {then}
        except ValueError as error:
            print(is_asked(error))
            caught = error
        try:
            obey(caught)
        except BaseException as error:
            print(repr(error))
    """
    left = "KeyboardInterrupt()" if number == signal.SIGINT else "SystemExit(143)"
    asked = "True\n" if then != "pass" else ""
    assert run(code) == (0, f"{asked}{left}\n", "")


def test_without_a_signal_nothing_is_obeyed():
    """An error stays what it is."""
    code = """
        from offshelf.process.signals import is_asked, obey, on_signals

        on_signals()
        obey()
        obey(ValueError())
        print(is_asked(ValueError()))
    """
    assert run(code) == (0, "False\n", "")
