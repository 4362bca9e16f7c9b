"""Settings of the C allocator for the forward pass."""

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
ONE_GIB = 1 << 30


def keep_freed_memory() -> bool:
    """Make glibc keep the memory that PyTorch frees between two operations. Return whether that worked.

    By default each activation map is new memory, which the system clears page by page. On a CPU that costs
    EfficientNet-Lite0 two thirds of its time (`benchmark/extraction.py engines`). Peak memory grows by fragmentation,
    by some 300 MB there.
    """
    if sys.platform != "linux":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return False
    return all(mallopt(option, ONE_GIB) == 1 for option in (M_MMAP_THRESHOLD, M_TRIM_THRESHOLD))
