"""Distances in float64, pair by pair, for pairs that float32 cannot order."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from offshelf.process.cores import usable_cores

NUMBERS = 1 << 18
"""Number of values of references that are compared at a time."""
SINK = 1 - 2.0**-50
"""Factor of lower bounds, and divisor of upper ones, so that they separate values with equal roots in float64."""


class Exact:
    """Measures of chosen pairs, from differences of the vectors in float64, which avoid cancellation.

    A measure orders references as the distance does. It is the squared distance, of unit vectors for `cosine` (twice
    one minus the cosine; 2 to a vector of zeros): the least over a reference's vectors, and the mean over a query's.
    For several vectors with `l2` it is the mean of distances. The relative error is at most (D + 6) 2^-53.
    """

    def __init__(self, references_NPD: np.ndarray, queries_QVD: np.ndarray, distance: str) -> None:
        self.references, self.queries, self.distance = references_NPD, queries_QVD, distance

    def measures(self, query: int, rows_R: np.ndarray) -> np.ndarray:
        """Return measures of one query to some references: float64 [R]."""
        asked_VD = self.queries[query].astype(np.float64)
        size = max(1, NUMBERS // max(1, self.references[0].size))
        parts = [self._of(asked_VD, rows_R[start : start + size]) for start in range(0, len(rows_R), size)]
        return np.concatenate([np.empty(0), *parts])

    def of_pairs(self, queries: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """Return measures of pairs, float64; the queries' numbers must be sorted."""
        asked, starts = np.unique(queries, return_index=True)
        parts = np.split(rows, starts[1:])
        if len(rows) * self.references[:1].size <= NUMBERS:
            return np.concatenate([np.empty(0), *map(self.measures, asked.tolist(), parts)])
        with ThreadPoolExecutor(len(usable_cores())) as pool:
            return np.concatenate([np.empty(0), *pool.map(self.measures, asked.tolist(), parts)])

    def similarities(self, measures: np.ndarray) -> np.ndarray:
        """Return minus the distances of measures."""
        if self.distance == "cosine":
            return -measures / 2
        return -np.sqrt(measures) if self.queries.shape[1] == 1 else -measures

    def _of(self, asked_VD: np.ndarray, rows_R: np.ndarray) -> np.ndarray:
        found_RPD = self.references[rows_R].astype(np.float64)
        if self.distance == "cosine":
            asked_VD, found_RPD = unit(asked_VD), unit(found_RPD)
        total_R = np.zeros(len(found_RPD))
        for number, asked_D in enumerate(asked_VD):
            last = number == len(asked_VD) - 1
            gaps_RPD = np.subtract(found_RPD, asked_D, out=found_RPD if last and self.distance == "l2" else None)
            squares_RP = np.square(gaps_RPD, out=gaps_RPD).sum(axis=-1)
            if self.distance == "cosine":
                squares_RP[_is_zero(found_RPD) | ~asked_D.any()] = 2
            least_R = squares_RP.min(axis=1)
            total_R += np.sqrt(least_R) if self.distance == "l2" and len(asked_VD) > 1 else least_R
        return total_R / len(asked_VD)


def _is_zero(values: np.ndarray) -> np.ndarray:
    """Return whether all numbers along the last axis are 0; mostly the first number decides."""
    is_zero: np.ndarray = values[..., 0] == 0
    is_zero[is_zero] = ~values[is_zero].any(axis=-1)
    return is_zero


def unit(values: np.ndarray) -> np.ndarray:
    """Scale to unit length along the last axis, in float64; zeros stay."""
    out = values.astype(np.float64)
    lengths = np.sqrt((out * out).sum(axis=-1, keepdims=True))
    out /= np.where(lengths > 0, lengths, 1)
    return out
