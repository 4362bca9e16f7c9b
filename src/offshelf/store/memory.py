"""A feature store in memory, which ends with the process."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from typing_extensions import override

from offshelf.errors import MissingFeatureError
from offshelf.store.claim import Claim
from offshelf.store.inventory import Use
from offshelf.store.key import FeatureKey
from offshelf.store.store import FeatureStore


@dataclass(frozen=True)
class MemoryStore(FeatureStore):
    """Features in this process's memory, for one process only."""

    _rows: dict[tuple[str, str], np.ndarray] = field(default_factory=dict, repr=False)

    @override
    def missing(self, keys: Sequence[FeatureKey], images: Sequence[str]) -> np.ndarray:
        first = {image: row for row, image in reversed(list(enumerate(images)))}
        lacking = [row for image, row in first.items() if any((key.digest, image) not in self._rows for key in keys)]
        return np.array(sorted(lacking), dtype=np.int64)

    @override
    def put(self, images: Sequence[str], features: Mapping[FeatureKey, np.ndarray]) -> None:
        for key, values in features.items():
            self._rows.update({(key.digest, image): row for image, row in zip(images, values, strict=True)})

    @override
    def read(self, keys: Sequence[FeatureKey], images: Sequence[str]) -> np.ndarray:
        try:
            return np.array([[self._rows[key.digest, image] for key in keys] for image in images])
        except KeyError as error:
            module = next(key.module for key in keys if key.digest == error.args[0][0])
            raise MissingFeatureError(f"No features of layer {module} for image {error.args[0][1][:12]}.") from None

    @override
    def has_foreign(self, key: FeatureKey) -> bool:
        return False  # everything was written by this process

    @override
    def foreign(self, keys: Sequence[FeatureKey], images: Sequence[str]) -> dict[str, np.ndarray]:
        return {}

    @override
    def vouch(self, keys: Sequence[FeatureKey], then: str) -> None: ...

    @override
    def note_use(self, networks: Iterable[str], use: Use) -> None:
        """Do nothing, since the store ends with the process."""

    @override
    def claim(self, network: str, work: str) -> Claim | None:
        return Claim()  # no other process shares the store
