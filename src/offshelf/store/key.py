"""What a feature is: the identity of everything that fixes its numbers."""

from dataclasses import dataclass, field
from functools import cached_property

from offshelf.augmentation import View
from offshelf.identity import digest


@dataclass(frozen=True)
class FeatureKey:
    """One layer's pooled output, seen through one view. With an image's digest it names one row of numbers.

    Batch size, device, workers, processes and paths are no part of it: they must not change the numbers.
    """

    network: str
    """Digest of weights, architecture, preprocessing and numeric precision."""
    module: str
    """Dotted path of the layer's module; aliases do not count."""
    pooling: str
    view: View
    backbone: str = field(default="", compare=False, metadata={"identity": False})
    """The backbone's name and precision, for people who look into a store."""

    @cached_property
    def digest(self) -> str:
        """SHA-256, in hex, of all fields."""
        return digest(self)
