"""Names of processes, by which a run whose process has died is recognised."""

import os
import socket
from pathlib import Path


def this_process() -> str:
    """Return host, process id and start time in clock ticks; the start time tells reused process ids apart."""
    return process_name(os.getpid())


def process_name(process: int) -> str:
    """Return the name of a process of this host, as `this_process` does."""
    return f"{socket.gethostname()} {process} {_start_time(process) or 0}"


def is_dead(process: str) -> bool:
    """Return True if the process ran on this host and has exited.

    Processes on other hosts, and all processes where there is no /proc, are assumed to be alive.
    """
    host, _, rest = process.rpartition(" ")[0].partition(" ")
    if host != socket.gethostname() or not rest.isdecimal() or not Path("/proc/self/stat").exists():
        return False
    return _start_time(int(rest)) != process.rpartition(" ")[2]


def _start_time(process: int) -> str | None:
    """Return field 22 of /proc/PID/stat, see proc(5); None if the process does not exist or is a zombie."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]
