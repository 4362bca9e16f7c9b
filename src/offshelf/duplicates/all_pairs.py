"""The nearest others of every row of a set: each pair is multiplied once, which takes half of a search's time.

Products are in float32; the rows that are found, two more than asked for, are ordered by float64 cosines.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Lock

import numpy as np

from offshelf.process.blas import one_blas_thread
from offshelf.process.cores import usable_cores
from offshelf.terminal.progress import counting

BLOCK = 2048
"""Number of rows that are multiplied with as many others at once."""
SPARE = 2
"""Number of rows beyond those asked for, as float32 may order them otherwise."""
CHUNK = 512
"""Number of rows whose neighbours are measured in float64 at once."""


def nearest_others(unit_ND: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return for each row the numbers, int64, and cosines, float64, of the nearest others in order: [N, count].

    Among equals the first row is the nearer.

    Args:
        unit_ND: Rows of length 1, or of zeros, float32.
        count: At most N - 1.
    """
    kept = min(count + SPARE, len(unit_ND) - 1)
    best = _Best.of(len(unit_ND), kept)
    starts = range(0, len(unit_ND), BLOCK)

    def work(pair: tuple[int, int]) -> None:
        first, second = (slice(start, start + BLOCK) for start in pair)
        products = unit_ND[first] @ unit_ND[second].T
        if pair[0] == pair[1]:
            np.fill_diagonal(products, -np.inf)
        else:
            best.add(pair[1], pair[0], products.T)
        best.add(pair[0], pair[1], products)

    same = [(start, start) for start in starts]  # first, for bounds that others rarely pass
    others = [(one, other) for one in starts for other in starts if one < other]
    threads = ThreadPoolExecutor(len(usable_cores()))
    with one_blas_thread(), threads as pool, counting("pairs of blocks", len(same) + len(others)) as counter:
        for several in (same, others):
            for _ in pool.map(work, several):
                counter.advance()
    return _ordered(unit_ND, best.rows_Nk, count)


@dataclass
class _Best:
    """The best rows so far of each row, in no order."""

    rows_Nk: np.ndarray
    values_Nk: np.ndarray
    least_N: np.ndarray
    """The least of the values of each row."""
    lock: Lock = field(default_factory=Lock)

    @staticmethod
    def of(rows: int, count: int) -> "_Best":
        values = np.full((rows, count), -np.inf, np.float32)
        return _Best(np.full((rows, count), -1), values, values.min(axis=1, initial=np.inf))

    def add(self, start: int, start_of_others: int, products: np.ndarray) -> None:
        """Take the products of rows from `start` on with others from another place on."""
        count = self.rows_Nk.shape[1]
        rows = slice(start, start + len(products))
        with self.lock:
            least = self.least_N[rows].copy()
        if not np.isfinite(least).all() and products.shape[1] > count:
            least = np.maximum(least, np.partition(products, -count, axis=1)[:, -count])
            passing = products >= least[:, None]
        else:
            passing = products > least[:, None]
        places, others = np.nonzero(passing)
        if not len(places):
            return
        found = products[places, others]
        with self.lock:
            self._merge(start, places, others + start_of_others, found)

    def _merge(self, start: int, places: np.ndarray, others: np.ndarray, found: np.ndarray) -> None:
        count = self.rows_Nk.shape[1]
        changed = np.unique(places)
        rows = changed + start
        at = np.concatenate([np.repeat(np.arange(len(changed)), count), np.searchsorted(changed, places)])
        values = np.concatenate([self.values_Nk[rows].ravel(), found])
        numbers = np.concatenate([self.rows_Nk[rows].ravel(), others])
        order = np.lexsort((numbers, -values, at))
        firsts = np.searchsorted(at[order], np.arange(len(changed)))
        kept = order[firsts[:, None] + np.arange(count)]
        self.rows_Nk[rows], self.values_Nk[rows] = numbers[kept], values[kept]
        self.least_N[rows] = values[kept[:, -1]]


def _ordered(unit_ND: np.ndarray, rows_Nk: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the first rows by float64 cosines, and these."""
    rows_N, cosines_N = np.empty((len(rows_Nk), count), np.int64), np.empty((len(rows_Nk), count))
    for start in range(0, len(rows_Nk), CHUNK):
        found = rows_Nk[start : start + CHUNK]
        own, others = unit_ND[start : start + CHUNK].astype(np.float64), unit_ND[found].astype(np.float64)
        cosines = np.einsum("nd,nkd->nk", own, others, optimize=True)
        order = np.lexsort((found, -cosines), axis=1)[:, :count]
        rows_N[start : start + CHUNK] = np.take_along_axis(found, order, axis=1)
        cosines_N[start : start + CHUNK] = np.take_along_axis(cosines, order, axis=1)
    return rows_N, cosines_N
