"""Nearest images by the cosine of their centred features.

Networks map all images into a narrow cone, so that the cosine of two unrelated images may be 0.9 (Ethayarajh, EMNLP
2019, describes it for language models). Without the mean of the set it is near 0, whatever the network, and a threshold
means the same for all of them: unrelated images are near 0, and those that differ in compression or size near 1.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from offshelf.duplicates.all_pairs import nearest_others
from offshelf.errors import ConfigError
from offshelf.retrieval.arrays import OnCpu, arrays_on
from offshelf.retrieval.search import nearest

NEAR = 0.9
"""Cosine from which on images are near duplicates, unless another is given.

Of 70 photographs of Caltech-101 and EfficientNet-Lite0's last layer, the nearest other photograph is at 0.80 at most.
94 to 99 % of the copies that are mirrored, a fifth brighter, or cut to the central 95 % are above 0.9, and 84 % of
those that are compressed to JPEG quality 50.
"""


@dataclass(frozen=True, eq=False)
class Nearest:
    """For each of Q images the nearest of others."""

    rows_Q: np.ndarray
    """Row numbers in the set: int64."""
    cosines_Q: np.ndarray
    """Cosines of the centred features: float64; -1 where there is no other."""


class FindsNearest(Protocol):
    """What knows the nearest images of a set, all of them or those from a threshold on."""

    def nearest(self, queries: np.ndarray, others: np.ndarray) -> Nearest:
        """Return the nearest of some images for each of others; see `NearSearch.nearest`."""


@dataclass(frozen=True, eq=False)
class Neighbours:
    """For each of N images its k nearest others, in order."""

    rows_Nk: np.ndarray
    """Row numbers: int64."""
    cosines_Nk: np.ndarray
    """Cosines of the centred features: float64."""


class NearSearch:
    """The images of a set by their centred features, and exact searches among them."""

    def __init__(self, values_NVD: np.ndarray, device: str = "auto") -> None:
        """Take features, float [N, V, D]; the views of an image are averaged.

        Args:
            values_NVD: Features of all images of the set, whose mean is subtracted.
            device: `auto` (a GPU if there is one), `cpu` or `cuda`.
        """
        means_ND = values_NVD.mean(axis=1, dtype=np.float64)
        self.values_ND = (means_ND - means_ND.mean(axis=0)).astype(np.float32)
        self.device = device

    @cached_property
    def unit_ND(self) -> np.ndarray:  # noqa: N802
        """The centred features, scaled to length 1: float32.

        Raises:
            ConfigError: A feature is not finite.
        """
        norms_N1 = np.linalg.norm(self.values_ND, axis=1, keepdims=True)
        if not np.isfinite(norms_N1).all():
            raise ConfigError(
                "A feature is not finite (NaN, or too large), so that it has no distance to others: leave the image "
                "out, or use another layer."
            )
        return self.values_ND / np.maximum(norms_N1, np.finfo(np.float32).tiny)

    def nearest(self, queries: np.ndarray, others: np.ndarray) -> Nearest:
        """Return the nearest of some images for each of others.

        Args:
            queries: Row numbers, int64 [Q].
            others: Row numbers to search, int64 [R]; a query is not its own neighbour.

        Raises:
            ConfigError: A feature is not finite.
        """
        rows = np.full(len(queries), -1)
        cosines = np.full(len(queries), -1.0)
        if not len(queries) or not len(others):
            return Nearest(rows, cosines)
        count = min(2, len(others))  # the second, where the first is the query itself
        arrays = arrays_on(self.device, "device")
        references, asked = self.values_ND[others][:, None], self.values_ND[queries][:, None]
        places_Qk, similarities_Qk = nearest(references, asked, count, "cosine", arrays)
        found_Qk = others[places_Qk]
        for column in reversed(range(count)):
            is_other = found_Qk[:, column] != queries
            rows[is_other], cosines[is_other] = found_Qk[is_other, column], 1 + similarities_Qk[is_other, column]
        return Nearest(rows, cosines)

    def neighbours(self, count: int) -> Neighbours:
        """Return the nearest others of all images, `count` of them or as many as there are.

        Raises:
            ConfigError: A feature is not finite.
        """
        images = len(self.values_ND)
        count = min(count, images - 1)
        if count < 1:
            return Neighbours(np.empty((images, 0), np.int64), np.empty((images, 0)))
        arrays = arrays_on(self.device, "device")
        if isinstance(arrays, OnCpu):
            return Neighbours(*nearest_others(self.unit_ND, count))
        values_N1D = self.values_ND[:, None]
        found_Nk, similarities_Nk = nearest(values_N1D, values_N1D, count + 1, "cosine", arrays)
        is_self = found_Nk == np.arange(images)[:, None]
        is_self[~is_self.any(axis=1), -1] = True  # behind equal ones
        shape = (images, count)
        return Neighbours(found_Nk[~is_self].reshape(shape), 1 + similarities_Nk[~is_self].reshape(shape))
