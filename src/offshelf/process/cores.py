"""The processor's cores."""

import os

LIMIT = "OFFSHELF_CORES"
"""Environment variable with the number of cores that a process of a cluster was given, where they are not its own."""


def usable_cores() -> list[int]:
    """Return the numbers of the cores that this process may use: its affinity, or all on systems without (macOS)."""
    has_affinity = hasattr(os, "sched_getaffinity")
    cores = sorted(os.sched_getaffinity(0)) if has_affinity else list(range(os.cpu_count() or 1))
    return cores[: int(os.environ.get(LIMIT, len(cores)))]
