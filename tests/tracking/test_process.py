"""Real processes: alive, killed, and of other hosts."""

import os
import subprocess
import sys

from offshelf.tracking.process import is_dead, this_process

NAME = "from offshelf.tracking.process import this_process; print(this_process(), flush=True); input()"


def test_a_process_is_dead_once_it_is_killed():
    """Also before its parent has taken notice."""
    with subprocess.Popen([sys.executable, "-c", NAME], stdin=-1, stdout=-1, text=True) as process:
        name = process.stdout.readline().strip()
        assert not is_dead(name)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it has died, and is still there to be waited for
        assert is_dead(name)
    assert is_dead(name)


def test_what_cannot_be_told_is_alive():
    """Another host's process, this one, and a number that was given out again is dead."""
    host, number, start = this_process().split()

    assert not is_dead(this_process())
    assert not is_dead(f"elsewhere {number} {start}")
    assert not is_dead("no process")
    assert is_dead(f"{host} {number} {int(start) - 1}")
