"""A feature store that lives and dies with the process."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from offshelf.errors import StoreError
from offshelf.store.claim import Claim
from offshelf.store.inventory import Use
from offshelf.store.key import FeatureKey


@dataclass(frozen=True)
class MemoryStore:
    """Features in this process's memory; one process only."""

    _rows: dict[tuple[str, str], np.ndarray] = field(default_factory=dict, repr=False)

    def missing(self, keys: Sequence[FeatureKey], images: Sequence[str]) -> np.ndarray:
        """See FeatureStore."""
        first = {image: row for row, image in reversed(list(enumerate(images)))}
        lacking = [row for image, row in first.items() if any((key.digest, image) not in self._rows for key in keys)]
        return np.array(sorted(lacking), dtype=np.int64)

    def put(self, images: Sequence[str], features: Mapping[FeatureKey, np.ndarray]) -> None:
        """See FeatureStore."""
        for key, values in features.items():
            self._rows.update({(key.digest, image): row for image, row in zip(images, values, strict=True)})

    def read(self, keys: Sequence[FeatureKey], images: Sequence[str]) -> np.ndarray:
        """See FeatureStore."""
        try:
            return np.array([[self._rows[key.digest, image] for key in keys] for image in images])
        except KeyError as error:
            module = next(key.module for key in keys if key.digest == error.args[0][0])
            raise StoreError(f"No features of layer {module} for image {error.args[0][1][:12]}.") from None

    def has_foreign(self, key: FeatureKey) -> bool:
        """See FeatureStore; everything is of this process."""
        return False

    def foreign(self, keys: Sequence[FeatureKey], images: Sequence[str]) -> dict[str, np.ndarray]:
        """See FeatureStore."""
        return {}

    def vouch(self, keys: Sequence[FeatureKey], then: str) -> None:
        """See FeatureStore."""

    def note_use(self, networks: Iterable[str], use: Use) -> None:
        """See FeatureStore; nobody will ask."""

    def claim(self, network: str, work: str) -> Claim | None:
        """See FeatureStore; there is nobody else."""
        return Claim()
