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


@pytest.mark.parametrize("once", [False, True])
@pytest.mark.parametrize("place", ["callback", "__del__"])
def test_a_signal_that_python_drops_comes_again(place, once):
    """Raised where exceptions are only printed: the process leaves all the same, and prints nothing."""
    code = f"""
        import os, signal, time, weakref
        from offshelf.leaving import on_sigterm

        class Thing:
            def __del__(self):
                if {place == "__del__"}:
                    os.kill(os.getpid(), signal.SIGTERM)

        def callback(_):
            os.kill(os.getpid(), signal.SIGTERM)

        on_sigterm(once={once})
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
        from offshelf.leaving import on_sigterm

        class Thing:
            def __del__(self):
                os.kill(os.getpid(), signal.SIGINT)

        on_sigterm()
        thing = Thing()
        try:
            del thing
            time.sleep(30)
        except KeyboardInterrupt:
            print("interrupted")
    """
    assert run(code) == (0, "interrupted\n", "")


@pytest.mark.parametrize(("once", "expected"), [(True, "put away\n"), (False, "")])
def test_a_second_signal_breaks_off_what_the_first_began(once, expected):
    """Unless it is ignored."""
    code = f"""
        import os, signal
        from offshelf.leaving import on_sigterm

        on_sigterm(once={once})
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            print("put away")
    """
    assert run(code) == (128 + signal.SIGTERM, expected, "")


def test_other_errors_are_told_as_before():
    """Of a `__del__` that is at fault itself."""
    code = """
        from offshelf.leaving import on_sigterm

        class Thing:
            def __del__(self):
                raise ValueError("its own")

        on_sigterm()
        Thing()
    """
    code, _, errors = run(code)
    assert code == 0
    assert "ValueError: its own" in errors
