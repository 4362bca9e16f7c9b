"""A feature store that lives and dies with the process."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from offshelf.errors import StoreError
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

    def get(self, key: FeatureKey, images: Sequence[str]) -> np.ndarray:
        """See FeatureStore."""
        try:
            return np.stack([self._rows[key.digest, image] for image in images])
        except KeyError as error:
            raise StoreError(f"No features of layer {key.module} for image {error.args[0][1][:12]}.") from None
