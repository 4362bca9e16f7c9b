"""The processor's cores."""

import os


def usable_cores() -> list[int]:
    """Return the numbers of the cores that this process may use: its affinity, or all on systems without (macOS)."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))
