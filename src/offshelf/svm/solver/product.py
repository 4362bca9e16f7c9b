"""Products of large matrices, by blocks between which a fit can be stopped."""

import numpy as np

from offshelf.svm.monitor import check_stop

BLOCK_MULTIPLICATIONS = 1 << 33
"""Multiplications of a block: some tenths of a second. Smaller products are one call of BLAS."""


def product(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return left @ right.

    Raises:
        StoppedError: the fit is to stop.
    """
    height = max(1, BLOCK_MULTIPLICATIONS // max(1, right.size))
    if len(left) <= height:
        check_stop()
        return left @ right
    out = np.empty((len(left), right.shape[1]), np.result_type(left, right))
    for start in range(0, len(left), height):
        check_stop()
        np.matmul(left[start : start + height], right, out=out[start : start + height])
    return out


def symmetric_product(rows: np.ndarray) -> np.ndarray:
    """Return rows @ rows.T, of which only half is computed.

    Raises:
        StoppedError: the fit is to stop.
    """
    height = max(256, 2 * BLOCK_MULTIPLICATIONS // max(1, rows.size))
    if len(rows) <= height:
        check_stop()
        return rows @ rows.T  # NumPy computes half of it
    out = np.empty((len(rows), len(rows)), rows.dtype)
    for start in range(0, len(rows), height):
        check_stop()
        block, stop = rows[start : start + height], min(start + height, len(rows))
        out[start:stop, start:stop] = block @ block.T
        out[start:stop, :start] = block @ rows[:start].T
        out[:start, start:stop] = out[start:stop, :start].T
    return out
