"""Memory of the forward pass, kept instead of given back."""

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
ONE_GIB = 1 << 30


def keep_freed_memory() -> bool:
    """Have glibc keep what PyTorch frees between two operations. Returns whether that could be done.

    Otherwise each activation map is new memory from the system, which clears it page by page: on a CPU that costs
    EfficientNet-Lite0 two thirds of its time (`benchmark/extraction.py engines`). The memory in use at the peak grows
    by fragmentation, by some 300 MB there.
    """
    if sys.platform != "linux":
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library
        return False
    return all(mallopt(option, ONE_GIB) == 1 for option in (M_MMAP_THRESHOLD, M_TRIM_THRESHOLD))
