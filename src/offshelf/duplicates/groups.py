"""Groups of images that are nearly the same, and what is known of them across the parts of a split."""

from collections.abc import Iterator

import numpy as np

from offshelf.duplicates.near import FindsNearest, Nearest, NearSearch, Neighbours

BLOCK = 256
"""Number of images that are compared with all others at once."""


class NearDuplicates(FindsNearest):
    """All pairs of a set from a threshold on, found by one search for a few neighbours of each image.

    An image all of whose neighbours are above the threshold may have more of them, and is looked at again.
    """

    def __init__(self, search: NearSearch, neighbours: Neighbours, threshold: float) -> None:
        """Take neighbours that a search has found, and the cosine from which on images are near duplicates."""
        self._search, self._neighbours, self._threshold = search, neighbours, threshold
        cosines_Nk = neighbours.cosines_Nk
        count = cosines_Nk.shape[1]
        is_full = count < len(cosines_Nk) - 1
        self._may_have_more_N = cosines_Nk[:, -1] >= threshold if count and is_full else np.zeros(len(cosines_Nk), bool)

    def nearest(self, queries: np.ndarray, others: np.ndarray) -> Nearest:
        """Return the nearest of `others` for each query, -1 with the cosine -1 where none reaches the threshold."""
        rows_qk, cosines_qk = self._neighbours.rows_Nk[queries], self._neighbours.cosines_Nk[queries]
        rows, cosines = np.full(len(queries), -1), np.full(len(queries), -1.0)
        is_other = np.zeros(len(self._may_have_more_N), bool)
        is_other[others] = True
        near_qk = is_other[rows_qk] & (cosines_qk >= self._threshold)
        has = near_qk.any(axis=1)
        first = near_qk[has].argmax(axis=1)
        rows[has], cosines[has] = (one[has][np.arange(len(first)), first] for one in (rows_qk, cosines_qk))
        open_ = ~has & self._may_have_more_N[queries]
        if open_.any():
            found = self._search.nearest(queries[open_], others)
            is_near = found.cosines_Q >= self._threshold
            rows[open_], cosines[open_] = (
                np.where(is_near, found.rows_Q, -1),
                np.where(is_near, found.cosines_Q, -1.0),
            )
        return Nearest(rows, cosines)

    def groups(self, equal_N: np.ndarray) -> np.ndarray:
        """Return the group of each image, int64 [N]: images are of one group if a chain of near duplicates joins them.

        Args:
            equal_N: Numbers of groups that are known before, such as those of equal bytes: int64.
        """
        groups_N = _joined(equal_N, *self._known_pairs())
        for ones, others in self._other_pairs():
            groups_N = _joined(groups_N, ones, others)
        return groups_N

    def _known_pairs(self) -> tuple[np.ndarray, np.ndarray]:
        is_near = self._neighbours.cosines_Nk >= self._threshold
        return np.nonzero(is_near)[0], self._neighbours.rows_Nk[is_near]

    def _other_pairs(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        rows = np.flatnonzero(self._may_have_more_N)
        if not len(rows):
            return
        unit_ND = self._search.unit_ND
        for start in range(0, len(rows), BLOCK):
            asked = rows[start : start + BLOCK]
            places, others = np.nonzero(unit_ND[asked] @ unit_ND.T >= self._threshold)
            yield asked[places], others


def _joined(groups_N: np.ndarray, ones: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return groups of which those of each pair are one."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = int(groups_N.max(initial=-1)) + 1
    pairs = np.unique(np.stack([groups_N[ones], groups_N[others]], axis=1), axis=0)
    graph = coo_array((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    return connected_components(graph, directed=False)[1].astype(np.int64)[groups_N]
