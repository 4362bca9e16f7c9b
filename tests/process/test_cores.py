"""Which cores are ours."""

import os
import subprocess
import sys

from offshelf.process.cores import usable_cores

CODE = (
    "import os; os.sched_setaffinity(0, {%d}); from offshelf.process.cores import usable_cores; print(usable_cores())"
)


def test_affinity():
    """A process that is held to one core has that one."""
    last = max(os.sched_getaffinity(0))
    done = subprocess.run([sys.executable, "-c", CODE % last], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"[{last}]"


def test_without_affinity(monkeypatch):
    """Where the system has no such thing: all."""
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 3)
    assert usable_cores() == [0, 1, 2]
