"""The interface of a feature store."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import numpy as np

from offshelf.store.claim import Claim
from offshelf.store.inventory import Use
from offshelf.store.key import FeatureKey


class FeatureStore(Protocol):
    """Rows of features by (key, image digest). All keys of one call belong to one network."""

    def missing(self, keys: Sequence[FeatureKey], images: Sequence[str]) -> np.ndarray:
        """Return row numbers, int64 [M], of the first occurrence of each image that lacks any of the keys."""

    def put(self, images: Sequence[str], features: Mapping[FeatureKey, np.ndarray]) -> None:
        """Store features, float32 [n, D_key] each, of n images; all or nothing. Raises StoreError."""

    def read(self, keys: Sequence[FeatureKey], images: Sequence[str]) -> np.ndarray:
        """Return features of the images, in their order, for keys of one width D: float32 [N, K, D].

        Raises:
            DamagedShardError: The bytes read are not those that were written; they count as missing from then on.
            MissingFeatureError: A feature is missing, possibly because it was just removed.
        """

    def has_foreign(self, key: FeatureKey) -> bool:
        """Return whether features of the key's network were written under other releases than today's. This is fast."""

    def foreign(self, keys: Sequence[FeatureKey], images: Sequence[str]) -> Mapping[str, np.ndarray]:
        """Find images that have all of the keys, some of them written under other releases that are not yet verified.

        Returns:
            Row numbers, int64 [n], by those releases.
        """

    def vouch(self, keys: Sequence[FeatureKey], then: str) -> None:
        """Record that features of the keys, written under the releases `then`, are equal to those of today."""

    def note_use(self, networks: Iterable[str], use: Use) -> None:
        """Record that a run used features of these networks. Failures are ignored."""

    def claim(self, network: str, work: str) -> Claim | None:
        """Claim work on a network's features. Return None while another process does that work."""
