"""Whether there is a GPU."""

import sys
from functools import lru_cache
from pathlib import Path


@lru_cache
def has_cuda() -> bool:
    """Return whether PyTorch has a CUDA device. PyTorch is imported only if a driver's device exists."""
    if sys.platform == "linux" and not _cuda_driver():
        return False
    import torch

    return torch.cuda.is_available()


def _cuda_driver() -> bool:
    return any(Path(device).exists() for device in ("/dev/nvidiactl", "/dev/dxg", "/dev/kfd"))
