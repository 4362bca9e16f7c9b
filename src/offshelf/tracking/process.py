"""Which process a run belongs to, and whether that process is still there."""

import os
import socket
from pathlib import Path


def this_process() -> str:
    """Host, process number and, as numbers are given out again, the time at which it started in the system's ticks."""
    return f"{socket.gethostname()} {os.getpid()} {_started(os.getpid()) or 0}"


def is_dead(process: str) -> bool:
    """Whether a process of this host has ended. What cannot be told, of another host or without /proc, has not."""
    host, _, rest = process.rpartition(" ")[0].partition(" ")
    if host != socket.gethostname() or not rest.isdecimal() or not Path("/proc/self/stat").exists():
        return False
    return _started(int(rest)) != process.rpartition(" ")[2]


def _started(process: int) -> str | None:
    """Field 22 of /proc/PID/stat, see proc(5); None where there is no such process, or only its unread exit code."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]
