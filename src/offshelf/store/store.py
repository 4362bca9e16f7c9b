"""The seam between features and where they live."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import numpy as np

from offshelf.store.claim import Claim
from offshelf.store.inventory import Use
from offshelf.store.key import FeatureKey


class FeatureStore(Protocol):
    """Rows of features by (key, image digest). All keys of one call belong to one network."""

    def missing(self, keys: Sequence[FeatureKey], images: Sequence[str]) -> np.ndarray:
        """Row numbers, int64 [M], of the first occurrence of each image that lacks any of the keys."""

    def put(self, images: Sequence[str], features: Mapping[FeatureKey, np.ndarray]) -> None:
        """Keep features, float32 [n, D_key] each, of n images; all or nothing. Raises StoreError."""

    def read(self, keys: Sequence[FeatureKey], images: Sequence[str]) -> np.ndarray:
        """Features of the images, in their order, for keys of one width D: float32 [N, K, D].

        Raises:
            DamagedShardError: what was read is not what was written; it counts as missing from then on.
            StoreError: a feature is missing.
        """

    def has_foreign(self, key: FeatureKey) -> bool:
        """Whether features of the key's network were written under other releases than today's; a quick look."""

    def foreign(self, keys: Sequence[FeatureKey], images: Sequence[str]) -> Mapping[str, np.ndarray]:
        """Images that have all of the keys, some of them written under other releases that nothing vouches for.

        By those releases: row numbers, int64 [n].
        """

    def vouch(self, keys: Sequence[FeatureKey], then: str) -> None:
        """Remember that features of the keys that were written under these releases come out equal today."""

    def note_use(self, networks: Iterable[str], use: Use) -> None:
        """Leave word of a run that used features of these networks; where that cannot be, nothing is lost."""

    def claim(self, network: str, work: str) -> Claim | None:
        """Announce work on a network's features; None while another process does that work."""
