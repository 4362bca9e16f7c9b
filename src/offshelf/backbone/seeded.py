"""Random weights that are the same on all machines."""

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock

_LOCK = RLock()
"""Held while the generators, which the whole process shares, are seeded: another thread would draw from them too."""


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed the random numbers of torch, NumPy and Python within the block, and restore the generators afterwards.

    Other threads that enter such a block wait until this one has left it.
    """
    import numpy as np
    import torch

    with _LOCK:
        plain, legacy = random.getstate(), np.random.get_state()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            random.seed(seed)
            np.random.seed(seed % (1 << 32))
            try:
                yield
            finally:
                random.setstate(plain)
                np.random.set_state(legacy)


def _renew_lock() -> None:
    """Replace the lock in a forked process, in which the thread that may have held it does not run."""
    global _LOCK
    _LOCK = RLock()


os.register_at_fork(after_in_child=_renew_lock)
