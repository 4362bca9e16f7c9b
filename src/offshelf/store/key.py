"""The identity of a feature: everything that determines its numbers."""

from dataclasses import dataclass, field
from functools import cached_property

from offshelf.augmentation import View
from offshelf.identity import digest


@dataclass(frozen=True)
class FeatureKey:
    """The identity of one layer's pooled output for one view. With an image's digest it names one row of numbers.

    Batch size, device, workers, processes and paths do not belong to it: they must not change the numbers.
    """

    network: str
    """Digest of weights, architecture, preprocessing and numeric precision."""
    module: str
    """Dotted path of the layer's module; aliases are resolved."""
    pooling: str
    view: View
    backbone: str = field(default="", compare=False, metadata={"identity": False})
    """The backbone's name and precision, for people who inspect a store."""

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all fields, in hexadecimal."""
        return digest(self)
