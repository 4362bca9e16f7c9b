"""A copy of a process outlives it."""

import subprocess
import sys
import time
from textwrap import dedent

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are copied on Linux alone")

KILLED = """
    import os, signal, sys, time
    from pathlib import Path
    from offshelf.process.survivor import Survivor

    def work():
        time.sleep(0.2)
        Path(sys.argv[1]).write_text("done")

    assert Survivor.start(work)
    os.killpg(0, signal.SIGKILL)
"""


def test_group_is_killed_at_once(tmp_path):
    """As soon as the copy was started it survives a signal to the whole group, which a closed terminal sends."""
    files = [tmp_path / str(number) for number in range(10)]
    started = [subprocess.Popen([sys.executable, "-c", dedent(KILLED), str(file)], process_group=0) for file in files]
    assert [process.wait(60) for process in started] == [-9] * 10
    deadline = time.monotonic() + 60
    while not all(file.exists() for file in files):
        assert time.monotonic() < deadline, "a copy was killed"
        time.sleep(0.05)
