"""Images that are nearly the same, by their features."""

from offshelf.duplicates.groups import NearDuplicates
from offshelf.duplicates.near import NEAR, FindsNearest, Nearest, NearSearch, Neighbours

__all__ = ["NEAR", "FindsNearest", "NearDuplicates", "NearSearch", "Nearest", "Neighbours"]
