"""Random weights that are the same everywhere."""

import random
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw torch's, NumPy's and Python's random numbers from `seed`, and leave the generators outside as they were."""
    import numpy as np
    import torch

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
