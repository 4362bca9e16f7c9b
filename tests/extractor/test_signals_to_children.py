"""An extraction in several processes obeys signals as one in one does, and leaves no process behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SLOW = """
import time
from torch import nn

class Slow(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(3, 4, 8, 8), nn.Flatten())

    def forward(self, pixels):
        time.sleep(0.3)
        return super().forward(pixels)
"""


def in_session(number):
    """Processes of a session that are alive."""
    found = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, *fields = file.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        if int(fields[2]) == number and state != "Z":
            found.append(int(file.parent.name))
    return found


def wait_until(condition, seconds):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.1)
    return condition()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize(
    ("number", "to_group", "code"),
    [
        pytest.param(signal.SIGTERM, False, 143, marks=pytest.mark.soak),
        pytest.param(signal.SIGHUP, True, 129, marks=pytest.mark.soak),
        (signal.SIGKILL, False, -9),
    ],
)
def test_signals_end_all_processes(number, to_group, code, home, tmp_path):
    """Told to the parent alone or to its group; what is in the store stays there."""
    (tmp_path / "slow_net.py").write_text(SLOW)
    arguments = ["extract", "backbone=custom", "backbone.module=slow_net.Slow", "layer='1'"]
    arguments += ["extractor.chunk=16", "extractor.batch_size=16", "extractor.processes=2"]
    process = subprocess.Popen(
        [sys.executable, "-m", "offshelf", *arguments],
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: [signal.signal(one, signal.SIG_DFL) for one in (signal.SIGINT, signal.SIGHUP)],
    )
    assert wait_until(lambda: len(list((home / "store").rglob("*.safetensors"))) >= 1, 300)
    assert len(in_session(process.pid)) >= 3
    (os.killpg if to_group else os.kill)(process.pid, number)
    _, errors = process.communicate(timeout=60)

    assert process.returncode == code, errors
    assert "Traceback" not in errors
    assert wait_until(lambda: not in_session(process.pid), 15), "children outlive their parent"
