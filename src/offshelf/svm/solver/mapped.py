"""Detection of memory-mapped rows."""

import numpy as np


def is_mapped(array: np.ndarray) -> bool:
    """Return whether an array is memory-mapped, or a plain view of one that is, as scikit-learn's checks return it."""
    part: object = array
    while isinstance(part, np.ndarray):
        if isinstance(part, np.memmap):
            return True
        part = part.base
    return False
